#include "core/ops/quantised_gemv_kernel.h"

#include <string>

#include "core/error.h"
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/nf4.cuh"
#include "core/ops/cuda/reduce.cuh"

namespace plumb {
namespace {

constexpr int kGemvWarps = 8;  // of a block, each with a row of W
constexpr int kGemvThreads = kGemvWarps * kWarpSize;

// Weights say how kCount values of a row are read, and what a finished sum is multiplied by.
template <class T>
struct Nf4Rows {
  Nf4Weight weight;
  int64_t width;

  template <int kCount>
  __device__ __forceinline__ void load(int64_t row, int64_t column, const float* table,
                                       float (&values)[kCount]) const {
    decode_nf4<T, kCount>(weight, row * width + column, table, values);
  }
  __device__ __forceinline__ float scale(int64_t) const { return 1.0f; }
};

struct Int8Rows {
  Int8Weight weight;
  int64_t width;

  template <int kCount>
  __device__ __forceinline__ void load(int64_t row, int64_t column, const float*,
                                       float (&values)[kCount]) const {
    const Pack<int8_t, kCount> codes =
        load_pack<int8_t, kCount>(weight.codes + row * width + column);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      values[i] = static_cast<float>(codes.values[i]);
    }
  }
  __device__ __forceinline__ float scale(int64_t row) const {
    return weight.absmax[row] / 127.0f;
  }
};

template <class T, int kCount>
__device__ __forceinline__ void load_inputs(const T* x, float (&values)[kCount]) {
  const Pack<T, kCount> pack = load_pack<T, kCount>(x);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    values[i] = to_float(pack.values[i]);
  }
}

// A warp a row of W, kCount columns a lane at a time, for kRows rows of x: 16 bytes of x, or one.
template <class T, int kCount, int kRows, class Weights>
__global__ void __launch_bounds__(kGemvThreads) gemv_kernel(QuantisedGemv op, Weights weights) {
  PLUMB_SHARED_ARRAY(float, table, 16);
  put_nf4_values(table);
  __syncthreads();
  const int64_t out = int64_t{blockIdx.x} * kGemvWarps + threadIdx.x / kWarpSize;
  if (out >= op.out_width) {
    return;  // a whole warp, after the only barrier
  }
  const T* const x = static_cast<const T*>(op.x);
  float sums[kRows] = {};
  for (int64_t at = threadIdx.x % kWarpSize * kCount; at < op.in_width; at += kWarpSize * kCount) {
    float w[kCount];
    weights.template load<kCount>(out, at, table, w);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      if (row < op.rows) {
        float values[kCount];
        load_inputs<T, kCount>(x + row * op.in_width + at, values);
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          sums[row] += values[i] * w[i];
        }
      }
    }
  }
  const float scale = weights.scale(out);
#pragma unroll
  for (int row = 0; row < kRows; ++row) {
    const float sum = warp_sum(sums[row]);
    if (row < op.rows && threadIdx.x % kWarpSize == 0) {
      static_cast<T*>(op.y)[row * op.out_width + out] = from_float<T>(sum * scale);
    }
  }
}

template <class T, int kCount, class Weights>
void launch_rows(const QuantisedGemv& op, const Weights& weights, KernelStream stream) {
  const LaunchShape shape{dim3(static_cast<unsigned>((op.out_width + kGemvWarps - 1) / kGemvWarps)),
                          dim3(kGemvThreads)};
  if (op.rows == 1) {
    PLUMB_LAUNCH((gemv_kernel<T, kCount, 1, Weights>), shape, stream, op, weights);
  } else if (op.rows == 2) {
    PLUMB_LAUNCH((gemv_kernel<T, kCount, 2, Weights>), shape, stream, op, weights);
  } else if (op.rows <= 4) {
    PLUMB_LAUNCH((gemv_kernel<T, kCount, 4, Weights>), shape, stream, op, weights);
  } else {
    PLUMB_LAUNCH((gemv_kernel<T, kCount, 8, Weights>), shape, stream, op, weights);
  }
}

template <class T, class Weights>
void launch_gemv(const QuantisedGemv& op, const Weights& weights, const void* codes,
                 KernelStream stream) {
  const bool is_aligned = op.in_width % 8 == 0 && is_vectorizable<T>(op.x, 0) &&
                          reinterpret_cast<uintptr_t>(codes) % 8 == 0;
  if (is_aligned) {
    launch_rows<T, kVectorOf<T>>(op, weights, stream);
  } else {
    launch_rows<T, 1>(op, weights, stream);
  }
}

bool is_empty(const QuantisedGemv& op) {
  if (op.rows > kMostGemvRows) {
    throw Error("quantised gemv: " + std::to_string(op.rows) +
                " rows of x; the kernel takes up to " + std::to_string(kMostGemvRows) +
                ", dequantise the weight for more");
  }
  return op.rows == 0 || op.out_width == 0;
}

// A block a row of W.
template <class T>
__global__ void __launch_bounds__(kGemvThreads) int8_quantise_kernel(Int8Quantise op) {
  PLUMB_SHARED_ARRAY(float, of_warps, kGemvWarps);
  const T* const weight = static_cast<const T*>(op.weight) + blockIdx.x * op.width;
  float absmax = 0.0f;
  for (int64_t i = threadIdx.x; i < op.width; i += kGemvThreads) {
    absmax = fmaxf(absmax, fabsf(to_float(weight[i])));
  }
  absmax = warp_max(absmax);
  if (threadIdx.x % kWarpSize == 0) {
    of_warps[threadIdx.x / kWarpSize] = absmax;
  }
  __syncthreads();
  for (int warp = 0; warp < kGemvWarps; ++warp) {
    absmax = fmaxf(absmax, of_warps[warp]);
  }
  const float scale = absmax > 0.0f ? 127.0f / absmax : 0.0f;
  for (int64_t i = threadIdx.x; i < op.width; i += kGemvThreads) {
    op.to.codes[blockIdx.x * op.width + i] =
        static_cast<int8_t>(__float2int_rn(to_float(weight[i]) * scale));
  }
  if (threadIdx.x == 0) {
    op.to.absmax[blockIdx.x] = absmax;
  }
}

}  // namespace

void launch_nf4_gemv(const QuantisedGemv& op, const Nf4Weight& weight, KernelStream stream) {
  if (!is_empty(op)) {
    with_dtype(op.dtype, [&](auto type) {
      using T = decltype(type);
      launch_gemv<T>(op, Nf4Rows<T>{weight, op.in_width}, weight.codes, stream);
    });
  }
}

void launch_int8_gemv(const QuantisedGemv& op, const Int8Weight& weight, KernelStream stream) {
  if (!is_empty(op)) {
    with_dtype(op.dtype, [&](auto type) {
      launch_gemv<decltype(type)>(op, Int8Rows{weight, op.in_width}, weight.codes, stream);
    });
  }
}

void launch_int8_quantise(const Int8Quantise& op, KernelStream stream) {
  if (op.rows == 0 || op.width == 0) {
    return;
  }
  with_dtype(op.dtype, [&](auto type) {
    const LaunchShape shape{dim3(static_cast<unsigned>(op.rows)), dim3(kGemvThreads)};
    PLUMB_LAUNCH(int8_quantise_kernel<decltype(type)>, shape, stream, op);
  });
}

}  // namespace plumb
