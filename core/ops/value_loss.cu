#include "core/ops/value_loss_kernel.h"

#include "core/ops/cuda/column_sum64.cuh"

namespace plumb {
namespace {

// d loss / d v, as autograd has it: where the clip does not bind both squares are (v - R)^2; where
// it binds the clipped one is constant, and of two equal ones each counts half.
__device__ __forceinline__ float value_slope(float error, bool is_bound, float plain,
                                             float clipped) {
  if (!is_bound || plain > clipped) {
    return error;
  }
  return plain == clipped ? 0.5f * error : 0.0f;
}

__global__ void __launch_bounds__(kSum64Threads) value_loss_kernel(ValueLoss op) {
  double sums[kValueLossSums] = {};
  const float scale = *op.scale;
  for_chunk_values(op.count, [&](int64_t i) {
    const float value = op.values[i], target = op.returns[i];
    const float low = op.old_values[i] - op.cliprange, high = op.old_values[i] + op.cliprange;
    const float near = fminf(fmaxf(value, low), high);
    const float error = value - target;
    const float plain = error * error, clipped = (near - target) * (near - target);
    sums[0] += 0.5f * fmaxf(plain, clipped);
    sums[1] += clipped > plain ? 1.0 : 0.0;
    op.grad_values[i] = scale * value_slope(error, value < low || value > high, plain, clipped);
  });
  store_block_sums(op.partial + blockIdx.x * kValueLossSums, sums);
}

}  // namespace

void launch_value_loss(const ValueLoss& op, KernelStream stream) {
  const int64_t blocks = sum64_blocks(op.count);
  if (blocks > 0) {
    const LaunchShape shape{dim3(static_cast<unsigned>(blocks)), dim3(kSum64Threads)};
    PLUMB_LAUNCH(value_loss_kernel, shape, stream, op);
  }
  launch_column_sum64<kValueLossSums>(op.sums, op.partial, blocks, stream);
}

}  // namespace plumb
