// Sums of columns of a (rows, width) f32 matrix in a fixed order: the second step of gradients of
// weights and biases, whose first step leaves partial sums in a matrix.
#pragma once
#include "core/ops/cuda/vectors.cuh"

namespace plumb {

inline constexpr int kColumnSumLanes = 8;

// A block of (32, kColumnSumLanes) threads sums 32 columns.
template <class T>
__global__ void column_sum_kernel(T* sums, const float* matrix, int64_t rows, int64_t width) {
  PLUMB_SHARED_ARRAY(float, part, kColumnSumLanes * 32);
  const int64_t column = int64_t{blockIdx.x} * 32 + threadIdx.x;
  float sum = 0.0f;
  if (column < width) {
    for (int64_t row = threadIdx.y; row < rows; row += kColumnSumLanes) {
      sum += matrix[row * width + column];
    }
  }
  part[threadIdx.y * 32 + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && column < width) {
    for (int lane = 1; lane < kColumnSumLanes; ++lane) {
      sum += part[lane * 32 + threadIdx.x];
    }
    sums[column] = from_float<T>(sum);
  }
}

template <class T>
void launch_column_sum(T* sums, const float* matrix, int64_t rows, int64_t width,
                       KernelStream stream) {
  const LaunchShape shape{dim3(static_cast<unsigned>((width + 31) / 32)),
                          dim3(32, kColumnSumLanes)};
  PLUMB_LAUNCH(column_sum_kernel<T>, shape, stream, sums, matrix, rows, width);
}

}  // namespace plumb
