#include "core/ops/whiten_kernel.h"

#include "core/ops/cuda/column_sum64.cuh"

namespace plumb {
namespace {

__global__ void __launch_bounds__(kSum64Threads) moments_kernel(MomentSums op) {
  double sums[kMoments] = {};
  for_chunk_values(op.count, [&](int64_t i) {
    if (op.keep == nullptr || op.keep[i] != 0) {
      const double value = op.values[i];
      sums[0] += 1.0;
      sums[1] += value;
      sums[2] += value * value;
    }
  });
  store_block_sums(op.partial + blockIdx.x * kMoments, sums);
}

__global__ void __launch_bounds__(kSum64Threads) whiten_kernel(Whiten op) {
  const double count = op.moments[0], sum = op.moments[1];
  const double mean = count > 0.0 ? sum / count : 0.0;
  const double spread = op.moments[2] - sum * mean;
  const double variance = count > 1.0 && spread > 0.0 ? spread / (count - 1.0) : 0.0;
  const double scale = 1.0 / sqrt(variance + 1e-8);
  const double added = op.keeps_mean ? mean : 0.0;
  for_chunk_values(op.count, [&](int64_t i) {
    const bool is_kept = op.keep == nullptr || op.keep[i] != 0;
    op.out[i] = is_kept ? static_cast<float>((op.values[i] - mean) * scale + added) : 0.0f;
  });
}

}  // namespace

void launch_moments(const MomentSums& op, KernelStream stream) {
  const int64_t blocks = sum64_blocks(op.count);
  if (blocks > 0) {
    const LaunchShape shape{dim3(static_cast<unsigned>(blocks)), dim3(kSum64Threads)};
    PLUMB_LAUNCH(moments_kernel, shape, stream, op);
  }
  launch_column_sum64<kMoments>(op.moments, op.partial, blocks, stream);
}

void launch_whiten(const Whiten& op, KernelStream stream) {
  if (op.count > 0) {
    const LaunchShape shape{dim3(static_cast<unsigned>(sum64_blocks(op.count))),
                            dim3(kSum64Threads)};
    PLUMB_LAUNCH(whiten_kernel, shape, stream, op);
  }
}

}  // namespace plumb
