// From log-probabilities, values and scores to advantages: the maths between rollout and update.
// Pure functions over ragged, packed sequences; dtypes are kept, sums are f64. They match
// TRL 1.12's PPOTrainer.train steps 4 to 6 (kl_rewards with ScorePlacement::after_eos).
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/dist/comm.h"

namespace plumb {

// Estimators of KL(policy || reference) at a token drawn from the policy, r = log ref - log policy
// (Schulman, "Approximating KL divergence", 2020): k1 = -r is unbiased, k2 = r^2 / 2 biased with
// little variance, k3 = e^r - 1 - r unbiased and never negative.
enum class KlEstimator { k1, k2, k3 };
KlEstimator parse_kl_estimator(const std::string& name);

// (N), (N) -> (N)
at::Tensor kl_estimate(const at::Tensor& logprobs, const at::Tensor& ref_logprobs,
                       KlEstimator estimator);

// Where a response's score lands: on its last token (EOS, when it ended), or, as TRL does, on the
// position after it unless the response fills the window (features.md, pain 3; trl#3750).
enum class ScorePlacement { last_token, after_eos };

// Offsets of states (trajectory.h): as the tokens, or with one more state for each response shorter
// than `window`. cu_response: (B + 1) -> (B + 1).
std::vector<int64_t> state_offsets(const std::vector<int64_t>& cu_response, int64_t window,
                                   ScorePlacement placement);

// Index of each token's state: (N) int64.
at::Tensor token_states(const std::vector<int64_t>& cu_response,
                        const std::vector<int64_t>& cu_states);

struct RaggedOffsets {
  const std::vector<int64_t>& cu_response;  // (B + 1)
  const std::vector<int64_t>& cu_states;    // (B + 1)
};

// Reward of a state (Ziegler et al. 2019, eq. 2, spread over tokens): -coef * kl of its token, and
// the score at the last state.   kl: (N)   scores: (B) f64   -> (S), dtype of kl
at::Tensor kl_rewards(const at::Tensor& kl, const at::Tensor& scores, double coef,
                      const RaggedOffsets& offsets);

// Both at once: what an iteration needs of its tokens.
struct TokenLogprobs {
  at::Tensor policy, reference;  // (N)
};
struct KlPenalty {
  double coef = 0.0;
  KlEstimator estimator = KlEstimator::k1;
};
struct TokenRewards {
  at::Tensor kl;       // (N)
  at::Tensor rewards;  // (S)
};
TokenRewards token_rewards(const TokenLogprobs& logprobs, const at::Tensor& scores,
                           const KlPenalty& penalty, const RaggedOffsets& offsets);

// Generalised advantage estimation (Schulman et al. 2016, eq. 16): A_t = delta_t + gamma lam
// A_{t+1}, delta_t = r_t + gamma V_{t+1} - V_t, with V = A = 0 after the last state. rewards,
// values: (S) -> (S). Accumulated in f64, on a device in f32.
struct GaeOptions {
  double gamma = 1.0, lambda = 0.95;
};
at::Tensor gae(const at::Tensor& rewards, const at::Tensor& values,
               const std::vector<int64_t>& cu_states, const GaeOptions& options);

// Count, sum and sum of squares: what whitening needs, and what adds up over ranks.
struct Moments {
  double count = 0, sum = 0, sum_squares = 0;

  double mean() const { return count > 0 ? sum / count : 0.0; }
  double variance() const;  // unbiased (n - 1), as TRL's masked_var; 0 for fewer than two values
};
Moments moments(const at::Tensor& values);
Moments operator+(const Moments& left, const Moments& right);
Moments over_ranks(const Moments& local, Comm& comm);

// (x - mean) / sqrt(variance + 1e-8), as TRL's masked_whiten; and the same with the mean added
// back.
at::Tensor whiten(const at::Tensor& values, const Moments& moments);
at::Tensor whiten_keep_mean(const at::Tensor& values, const Moments& moments);

}  // namespace plumb
