// The sum of one f64 a thread over a block, in a fixed order; the same bits for all threads.
#pragma once
#include "core/ops/cuda/reduce.cuh"

namespace plumb {

__device__ __forceinline__ double warp_sum(double value) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, distance);
  }
  return value;
}

// of_warps: kThreads / 32 doubles of shared memory that nothing else uses until the next barrier.
template <int kThreads>
__device__ __forceinline__ double block_sum(double value, double* of_warps) {
  value = warp_sum(value);
  if (threadIdx.x % kWarpSize == 0) {
    of_warps[threadIdx.x / kWarpSize] = value;
  }
  __syncthreads();
  double sum = 0.0;
#pragma unroll
  for (int warp = 0; warp < kThreads / kWarpSize; ++warp) {
    sum += of_warps[warp];
  }
  return sum;
}

}  // namespace plumb
