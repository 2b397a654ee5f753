#include "core/ops/cuda/head_rows.cuh"

namespace plumb {
namespace {

struct CrossEntropy {
  static constexpr bool kHasGradient = true;
  const float* scale;

  __device__ __forceinline__ TokenGradient gradient(int64_t, const TokenResult&) const {
    return {-*scale, 0.0f};
  }
};

struct KnownGradient {
  static constexpr bool kHasGradient = true;
  HeadGradient grad;

  __device__ __forceinline__ TokenGradient gradient(int64_t row, const TokenResult&) const {
    return {grad.grad_logprobs[row], grad.grad_entropy == nullptr ? 0.0f : grad.grad_entropy[row]};
  }
};

// exp(20) = 5e8: far beyond any clip, yet finite (ppo/ppo_loss.cpp).
constexpr float kMostLogRatio = 20.0f;

struct ClippedPolicyLoss {
  static constexpr bool kHasGradient = true;
  PolicyLossRows loss;

  // -A r where that branch is the larger one, else 0: the clipped branch and the dual clip's bound
  // do not depend on r where they hold, nor does a cut log ratio.
  __device__ __forceinline__ float surrogate_slope(int64_t row, float logprob) const {
    const float advantage = loss.advantages[row];
    const float difference = logprob - loss.old_logprobs[row];
    const float ratio = expf(fminf(fmaxf(difference, -kMostLogRatio), kMostLogRatio));
    const float low = 1.0f - loss.cliprange, high = 1.0f + loss.cliprange;
    const float plain = -advantage * ratio;
    const float clipped = -advantage * fminf(fmaxf(ratio, low), high);
    bool is_live = plain >= clipped && fabsf(difference) <= kMostLogRatio;
    if (loss.dual_clip > 0.0f && advantage < 0.0f) {
      is_live = is_live && plain <= -advantage * loss.dual_clip;
    }
    return is_live ? plain : 0.0f;
  }

  // Of the estimators of KL(policy || reference), r = log ref - log policy (Schulman 2020).
  __device__ __forceinline__ float kl_slope(int64_t row, float logprob) const {
    if (loss.kl == KlTerm::none) {
      return 0.0f;
    }
    const float r = loss.ref_logprobs[row] - logprob;
    switch (loss.kl) {
      case KlTerm::k2:
        return -r;
      case KlTerm::k3:
        return 1.0f - expf(r);
      default:
        return 1.0f;
    }
  }

  __device__ __forceinline__ TokenGradient gradient(int64_t row, const TokenResult& token) const {
    const float scale = *loss.scale;
    const float slope =
        surrogate_slope(row, token.logprob) + loss.kl_coef * kl_slope(row, token.logprob);
    return {scale * slope, -scale * loss.entropy_coef};
  }
};

}  // namespace

void launch_head_stats(const HeadRows& head, KernelStream stream) {
  launch_head_rows(head, NoLoss{}, stream);
}

void launch_cross_entropy(const HeadRows& head, const float* scale, KernelStream stream) {
  launch_head_rows(head, CrossEntropy{scale}, stream);
}

void launch_head_gradient(const HeadRows& head, const HeadGradient& grad, KernelStream stream) {
  launch_head_rows(head, KnownGradient{grad}, stream);
}

void launch_policy_head(const HeadRows& head, const PolicyLossRows& loss, KernelStream stream) {
  launch_head_rows(head, ClippedPolicyLoss{loss}, stream);
}

}  // namespace plumb
