// The head of a chunk of tokens on the GPU (core/ops/token_loss.h): from logits to
// log-probabilities and entropies, and the gradient of a loss that is local to a token, written
// over the logits (kernels of one launch, fixed order of sums).
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

// Logits are x W^T; what enters the softmax is cap(x W^T) / temperature, cap(z) = c tanh(z / c).
struct HeadRows {
  void* logits = nullptr;            // (M, V), rows row_stride apart; fastest when that is whole
                                     // 16-byte packs
  const int64_t* targets = nullptr;  // (M) in [0, V); below 0: a token without loss
  float* logprobs = nullptr;         // (M): log softmax[target], 0 without target
  float* entropy = nullptr;          // (M), nats, 0 without target
  int64_t rows = 0, vocab = 0, row_stride = 0;
  float inverse_temperature = 1.0f;
  float softcap = 0.0f;  // c; 0: no cap
  KernelDtype dtype = KernelDtype::f32;
};

// logprobs and entropy only.
void launch_head_stats(const HeadRows& head, KernelStream stream);

// Cross-entropy: the logits become the gradient of -scale sum logprobs. scale: one f32 on the
// device, so that a count formed there needs no synchronisation.
void launch_cross_entropy(const HeadRows& head, const float* scale, KernelStream stream);

// Any token-local loss whose derivatives are known: grad_entropy may be null.
struct HeadGradient {
  const float* grad_logprobs = nullptr;  // (M)
  const float* grad_entropy = nullptr;   // (M) or null
};
void launch_head_gradient(const HeadRows& head, const HeadGradient& grad, KernelStream stream);

// PPO's policy loss (ppo/ppo_loss.h), formed in the same pass as the log-probabilities it needs:
//   max(-A r, -A clip(r, 1 - eps, 1 + eps)), r = exp(logprob - old), at A < 0 at most -A dual_clip
//   + kl_coef KL(policy, reference) - entropy_coef H, each times `scale` (1 / tokens)
enum class KlTerm : int32_t { none, k1, k2, k3 };
struct PolicyLossRows {
  const float* old_logprobs = nullptr;  // (M)
  const float* advantages = nullptr;    // (M)
  const float* ref_logprobs = nullptr;  // (M), with a KL term
  const float* scale = nullptr;         // one f32 on the device
  float cliprange = 0.2f;
  float dual_clip = 0.0f;  // 0: none
  float entropy_coef = 0.0f, kl_coef = 0.0f;
  KlTerm kl = KlTerm::none;
};
void launch_policy_head(const HeadRows& head, const PolicyLossRows& loss, KernelStream stream);

}  // namespace plumb
