// From log-probabilities and scores to rewards, on the GPU (ppo/advantage.h: kl_estimate and
// kl_rewards). Sequences are ragged and packed; a sequence has as many states as tokens, or more.
#pragma once
#include <cstdint>

#include "core/ops/token_loss_kernel.h"

namespace plumb {

// Reward of a state: -coef kl of its token, 0 where it has none; the last state's gains the score.
// r = log ref - log policy: k1 = -r, k2 = r^2 / 2, k3 = e^r - 1 - r (Schulman 2020).
struct KlRewards {
  float* rewards = nullptr;              // (S)
  float* kl = nullptr;                   // (N) or null
  const float* logprobs = nullptr;       // (N)
  const float* ref_logprobs = nullptr;   // (N)
  const float* scores = nullptr;         // (B)
  const int64_t* cu_response = nullptr;  // (B + 1)
  const int64_t* cu_states = nullptr;    // (B + 1)
  int64_t sequences = 0;                 // B
  float coef = 0.0f;
  KlTerm estimator = KlTerm::k1;  // not `none`
};
void launch_kl_rewards(const KlRewards& op, KernelStream stream);

}  // namespace plumb
