#include "core/ops/embedding_kernel.h"

#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/reduce.cuh"

namespace plumb {
namespace {

constexpr int kGatherThreads = 128;

// A block gathers one row.
template <class T, int kPack>
__global__ void __launch_bounds__(kGatherThreads) embedding_forward_kernel(EmbeddingForward op) {
  const int64_t token = blockIdx.x;
  const T* const from = static_cast<const T*>(op.table) + op.ids[token] * op.width;
  T* const to = static_cast<T*>(op.out) + token * op.width;
  for (int64_t at = threadIdx.x * kPack; at < op.width; at += kGatherThreads * kPack) {
    store_pack(to + at, load_pack<T, kPack>(from + at));
  }
}

// Frequent tokens have long segments: kLanes warps share one, each taking every kLanes-th token.
constexpr int kLanes = 8;

// Block (32, kLanes): 32 packs of columns of one row of the table.
template <class T, int kPack>
__global__ void __launch_bounds__(kWarpSize* kLanes)
    embedding_backward_kernel(EmbeddingBackward op) {
  PLUMB_SHARED_ARRAY(float, part, kLanes* kPack* kWarpSize);
  const int64_t row = blockIdx.x;
  const int64_t column = (int64_t{blockIdx.y} * kWarpSize + threadIdx.x) * kPack;
  const bool is_inside = column < op.width;
  const T* const grads = static_cast<const T*>(op.grad_out) + column;
  float sums[kPack] = {};
  for (int64_t i = op.segments[row] + threadIdx.y; i < op.segments[row + 1] && is_inside;
       i += kLanes) {
    const Pack<T, kPack> grad = load_pack<T, kPack>(grads + op.order[i] * op.width);
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      sums[v] += to_float(grad.values[v]);
    }
  }
#pragma unroll
  for (int v = 0; v < kPack; ++v) {
    part[(threadIdx.y * kPack + v) * kWarpSize + threadIdx.x] = sums[v];
  }
  __syncthreads();
  if (threadIdx.y != 0 || !is_inside) {
    return;
  }
  T* const to = static_cast<T*>(op.grad_table) + op.row_ids[row] * op.width + column;
  Pack<T, kPack> total = load_pack<T, kPack>(to);
#pragma unroll
  for (int v = 0; v < kPack; ++v) {
    for (int lane = 1; lane < kLanes; ++lane) {
      sums[v] += part[(lane * kPack + v) * kWarpSize + threadIdx.x];
    }
    total.values[v] = from_float<T>(to_float(total.values[v]) + sums[v]);
  }
  store_pack(to, total);
}

}  // namespace

void launch_embedding_forward(const EmbeddingForward& op, KernelStream stream) {
  if (op.tokens == 0 || op.width == 0) {
    return;
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(op.tokens)), dim3(kGatherThreads), 0};
  with_dtype(op.dtype, [&](auto type) {
    using T = decltype(type);
    if (is_vectorizable<T>(op.out, op.width) && is_vectorizable<T>(op.table, op.width)) {
      PLUMB_LAUNCH((embedding_forward_kernel<T, kVectorOf<T>>), shape, stream, op);
    } else {
      PLUMB_LAUNCH((embedding_forward_kernel<T, 1>), shape, stream, op);
    }
  });
}

void launch_embedding_backward(const EmbeddingBackward& op, KernelStream stream) {
  if (op.rows == 0 || op.width == 0) {
    return;
  }
  const auto shape_for = [&](int64_t pack) {
    const int64_t columns = (op.width + pack * kWarpSize - 1) / (pack * kWarpSize);
    return LaunchShape{dim3(static_cast<unsigned>(op.rows), static_cast<unsigned>(columns)),
                       dim3(kWarpSize, kLanes), 0};
  };
  with_dtype(op.dtype, [&](auto type) {
    using T = decltype(type);
    if (is_vectorizable<T>(op.grad_table, op.width) && is_vectorizable<T>(op.grad_out, op.width)) {
      PLUMB_LAUNCH((embedding_backward_kernel<T, kVectorOf<T>>), shape_for(kVectorOf<T>), stream,
                   op);
    } else {
      PLUMB_LAUNCH((embedding_backward_kernel<T, 1>), shape_for(1), stream, op);
    }
  });
}

}  // namespace plumb
