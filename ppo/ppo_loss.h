// PPO's clipped losses. The policy's is a TokenLoss: its gradient is formed where the chunk of
// logits lies (core/ops/token_loss.h), so no (N, V) matrix exists. Matches TRL 1.12's
// PPOTrainer.train, with the means over all response tokens (or states) of a minibatch over all
// ranks: the counts are known beforehand, so micro-batches just add up.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

#include "core/ops/token_loss.h"

namespace plumb {

struct PolicyLossOptions {
  double cliprange = 0.2;
  std::optional<double> dual_clip = {};  // > 1; none: no dual clip
  double entropy_coef = 0.0;
  double num_tokens = 1;  // of the minibatch over all ranks: what the mean divides by
};

// The rows of one micro-batch, in the order of its hidden states.
struct PolicyTokens {
  at::Tensor old_logprobs;  // (M)
  at::Tensor advantages;    // (M)
};

// Sums over tokens: divided by their number they are TRL's policy/* and val/ratio, unpadded.
struct PolicyStats {
  double loss = 0;      // clipped surrogate, without the entropy bonus
  double approxkl = 0;  // (log new - log old)^2 / 2
  double clipped = 0;   // tokens at which the clipped branch is the larger
  double ratio = 0;     // pi_new / pi_old
  double entropy = 0;   // nats
  double tokens = 0;
};

// L = max(-A r, -A clip(r, 1 - eps, 1 + eps)) (Schulman et al. 2017, eq. 7, negated), at A < 0 at
// most -A c (Ye et al. 2020, eq. 5), less entropy_coef * H; each over num_tokens. The log ratio is
// cut to +-20 so that r stays finite. `tokens` and `stats` must outlive the loss; sums are added.
TokenLoss policy_loss(const PolicyTokens& tokens, const PolicyLossOptions& options,
                      PolicyStats& stats);
// The same loss's own kernel, for tokens on a device that has kernels.
TokenLossKernel policy_loss_kernel(const PolicyTokens& tokens, const PolicyLossOptions& options);

struct ValueStats {
  double loss = 0;     // 1/2 of the larger square
  double clipped = 0;  // states at which the clipped square is the larger
  double states = 0;
};

// The states of one micro-batch, (M) each.
struct ValueTargets {
  at::Tensor values;  // differentiable
  at::Tensor old_values;
  at::Tensor returns;
};

// 1/2 sum of max((v - R)^2, (clip(v, v_old +- cliprange) - R)^2), the form of OpenAI's baselines
// and lm-human-preferences. -> scalar
at::Tensor value_loss_sum(const ValueTargets& states, double cliprange, ValueStats& stats);

}  // namespace plumb
