// Sums and maxima over the threads of a warp or of a block, in a fixed order: the same bits each
// time, and the same for all threads.
#pragma once
#include "core/ops/cuda/device.cuh"

namespace plumb {

inline constexpr unsigned kAllLanes = 0xFFFFFFFFu;
inline constexpr int kWarpSize = 32;
inline constexpr int kMostWarps = 32;

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, distance);
  }
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, distance));
  }
  return value;
}

// Sums one value a thread over blockDim.x threads, the row a block works on. The caller alternates
// two arrays of kMostWarps floats from call to call, so that one barrier a call is enough.
__device__ __forceinline__ float block_row_sum(float value, float* warp_sums) {
  value = warp_sum(value);
  if (blockDim.x == kWarpSize) {
    return value;
  }
  if (threadIdx.x % kWarpSize == 0) {
    warp_sums[threadIdx.x / kWarpSize] = value;
  }
  __syncthreads();
  float sum = 0.0f;
  for (int warp = 0; warp < static_cast<int>(blockDim.x) / kWarpSize; ++warp) {
    sum += warp_sums[warp];
  }
  return sum;
}

// Two sums with one barrier; as above.
__device__ __forceinline__ float2 block_row_sum2(float2 value, float2* warp_sums) {
  value = make_float2(warp_sum(value.x), warp_sum(value.y));
  if (blockDim.x == kWarpSize) {
    return value;
  }
  if (threadIdx.x % kWarpSize == 0) {
    warp_sums[threadIdx.x / kWarpSize] = value;
  }
  __syncthreads();
  float2 sum = make_float2(0.0f, 0.0f);
  for (int warp = 0; warp < static_cast<int>(blockDim.x) / kWarpSize; ++warp) {
    const float2 part = warp_sums[warp];
    sum = make_float2(sum.x + part.x, sum.y + part.y);
  }
  return sum;
}

}  // namespace plumb
