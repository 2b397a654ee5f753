#include "core/ops/kl_rewards_kernel.h"

#include "core/error.h"
#include "core/ops/cuda/device.cuh"

namespace plumb {
namespace {

constexpr int kRewardThreads = 128;

__device__ __forceinline__ float kl_of(float log_ratio, KlTerm estimator) {
  switch (estimator) {
    case KlTerm::k2:
      return 0.5f * log_ratio * log_ratio;
    case KlTerm::k3:
      return expm1f(log_ratio) - log_ratio;
    default:
      return -log_ratio;
  }
}

// A block a sequence.
__global__ void __launch_bounds__(kRewardThreads) kl_rewards_kernel(KlRewards op) {
  const int64_t sequence = blockIdx.x;
  const int64_t token = op.cu_response[sequence], tokens = op.cu_response[sequence + 1] - token;
  const int64_t state = op.cu_states[sequence], states = op.cu_states[sequence + 1] - state;
  for (int64_t t = threadIdx.x; t < states; t += kRewardThreads) {
    float reward = 0.0f;
    if (t < tokens) {
      const float kl = kl_of(op.ref_logprobs[token + t] - op.logprobs[token + t], op.estimator);
      if (op.kl != nullptr) {
        op.kl[token + t] = kl;
      }
      reward = -op.coef * kl;
    }
    op.rewards[state + t] = t == states - 1 ? reward + op.scores[sequence] : reward;
  }
}

}  // namespace

void launch_kl_rewards(const KlRewards& op, KernelStream stream) {
  if (op.sequences == 0) {
    return;
  }
  if (op.estimator == KlTerm::none) {
    throw Error("kl_rewards: no estimator; k1, k2 or k3 is needed");
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(op.sequences)), dim3(kRewardThreads)};
  PLUMB_LAUNCH(kl_rewards_kernel, shape, stream, op);
}

}  // namespace plumb
