// Sums of kColumns columns of f64 partial results in a fixed order: the second step of sums over
// all rows, whose first step leaves a row a block.
#pragma once
#include "core/ops/cuda/block_sum.cuh"
#include "core/ops/cuda/sum64.h"

namespace plumb {

inline constexpr int kSum64Threads = 256;

// A block's values: visit(i) for each i of its chunk that the thread takes.
template <class Visit>
__device__ __forceinline__ void for_chunk_values(int64_t count, const Visit& visit) {
  const int64_t begin = blockIdx.x * kSum64Chunk;
  const int64_t end = begin + kSum64Chunk < count ? begin + kSum64Chunk : count;
  for (int64_t i = begin + threadIdx.x; i < end; i += kSum64Threads) {
    visit(i);
  }
}

// Sums `values` over the block, to to[0 .. kColumns).
template <int kColumns>
__device__ __forceinline__ void store_block_sums(double* to, const double (&values)[kColumns]) {
  PLUMB_SHARED_ARRAY(double, of_warps, kColumns* kSum64Threads / kWarpSize);
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    const double sum =
        block_sum<kSum64Threads>(values[c], of_warps + c * kSum64Threads / kWarpSize);
    if (threadIdx.x == 0) {
      to[c] = sum;
    }
  }
}

template <int kColumns>
__global__ void __launch_bounds__(kSum64Threads)
    column_sum64_kernel(double* sums, const double* partial, int64_t rows) {
  double values[kColumns] = {};
  for (int64_t row = threadIdx.x; row < rows; row += kSum64Threads) {
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      values[c] += partial[row * kColumns + c];
    }
  }
  store_block_sums(sums, values);
}

template <int kColumns>
void launch_column_sum64(double* sums, const double* partial, int64_t rows, KernelStream stream) {
  const LaunchShape shape{dim3(1), dim3(kSum64Threads)};
  PLUMB_LAUNCH(column_sum64_kernel<kColumns>, shape, stream, sums, partial, rows);
}

}  // namespace plumb
