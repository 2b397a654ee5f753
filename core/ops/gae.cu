#include "core/ops/gae_kernel.h"

#include "core/ops/cuda/reduce.cuh"

namespace plumb {
namespace {

constexpr int kSequencesABlock = 4;

// Lane l gets x_l + decay x_{l+1} + decay^2 x_{l+2} + ... over the lanes behind it, by doubling.
__device__ __forceinline__ float scan_from_behind(float value, float decay) {
  const int lane = threadIdx.x;
  float power = decay;
#pragma unroll
  for (int distance = 1; distance < kWarpSize; distance *= 2) {
    const float behind = __shfl_down_sync(kAllLanes, value, distance);
    value += lane + distance < kWarpSize ? power * behind : 0.0f;
    power *= power;
  }
  return value;
}

// decay^exponent for exponents up to a warp, by squaring.
__device__ __forceinline__ float power_of(float decay, int exponent) {
  float power = 1.0f;
  for (; exponent > 0; exponent /= 2) {
    power = exponent % 2 == 1 ? power * decay : power;
    decay *= decay;
  }
  return power;
}

// A warp walks one sequence from its end, a state a lane.
__global__ void __launch_bounds__(kWarpSize* kSequencesABlock) gae_kernel(Gae gae) {
  const int64_t sequence = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (sequence >= gae.sequences) {
    return;
  }
  const int64_t begin = gae.cu_states[sequence], end = gae.cu_states[sequence + 1];
  const float decay = gae.gamma * gae.lambda;
  // From lane l to the first state behind the 32 of this step.
  const float carry_power = power_of(decay, kWarpSize - static_cast<int>(threadIdx.x));
  float carry = 0.0f;
  for (int64_t first = end - kWarpSize; first > begin - kWarpSize; first -= kWarpSize) {
    const int64_t state = first + threadIdx.x;
    const bool is_inside = state >= begin;
    const float value = is_inside ? gae.values[state] : 0.0f;
    const float next_value = is_inside && state + 1 < end ? gae.values[state + 1] : 0.0f;
    const float reward = is_inside ? gae.rewards[state] : 0.0f;
    const float delta = reward + gae.gamma * next_value - value;
    const float advantage = scan_from_behind(delta, decay) + carry_power * carry;
    carry = __shfl_sync(kAllLanes, advantage, 0);
    if (is_inside) {
      gae.advantages[state] = advantage;
      if (gae.returns != nullptr) {
        gae.returns[state] = advantage + value;
      }
    }
  }
}

}  // namespace

void launch_gae(const Gae& gae, KernelStream stream) {
  if (gae.sequences == 0) {
    return;
  }
  const auto blocks =
      static_cast<unsigned>((gae.sequences + kSequencesABlock - 1) / kSequencesABlock);
  const LaunchShape shape{dim3(blocks), dim3(kWarpSize, kSequencesABlock)};
  PLUMB_LAUNCH(gae_kernel, shape, stream, gae);
}

}  // namespace plumb
