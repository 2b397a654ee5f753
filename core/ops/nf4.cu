#include "core/ops/cuda/nf4.cuh"

#include "core/ops/cuda/column_sum64.cuh"
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/dynamic_code.cuh"

namespace plumb {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

unsigned blocks_for(int64_t count, int64_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

__device__ __forceinline__ float inverse_of(float absmax) {
  return absmax > 0.0f ? 1.0f / absmax : 0.0f;
}

// A warp a block of 64 values, two a lane.
template <class T>
__global__ void __launch_bounds__(kThreads) codes_kernel(Nf4Quantise op) {
  const int64_t block = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  const int64_t at = block * kNf4Block + threadIdx.x % kWarpSize * 2;
  const int64_t left = op.to.count - at;
  const T* const weight = static_cast<const T*>(op.weight) + at;
  Pack<T, 2> pack = zero_pack<T, 2>();
  if (left >= 2) {
    pack = load_pack<T, 2>(weight);
  } else if (left == 1) {
    pack.values[0] = *weight;
  }
  const float high = to_float(pack.values[0]), low = to_float(pack.values[1]);
  const float absmax = warp_max(fmaxf(fabsf(high), fabsf(low)));
  const float inverse = inverse_of(absmax);
  if (left > 0) {
    op.to.codes[at / 2] =
        static_cast<uint8_t>(nf4_code(high * inverse) << 4 | nf4_code(low * inverse));
    if (threadIdx.x % kWarpSize == 0) {
      op.absmax[block] = absmax;
    }
  }
}

__global__ void __launch_bounds__(kSum64Threads)
    scale_sums_kernel(double* partial, const float* absmax, int64_t blocks) {
  double sums[1] = {};
  for_chunk_values(blocks, [&](int64_t i) { sums[0] += absmax[i]; });
  store_block_sums(partial + blockIdx.x, sums);
}

__global__ void __launch_bounds__(kSum64Threads)
    scale_mean_kernel(float* mean, const double* partial, int64_t partials, int64_t blocks) {
  PLUMB_SHARED_ARRAY(double, of_warps, kSum64Threads / kWarpSize);
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < partials; i += kSum64Threads) {
    sum += partial[i];
  }
  sum = block_sum<kSum64Threads>(sum, of_warps);
  if (threadIdx.x == 0) {
    *mean = static_cast<float>(sum / static_cast<double>(blocks));
  }
}

// A warp a block of 256 scales.
__global__ void __launch_bounds__(kThreads) scale_codes_kernel(Nf4Quantise op, int64_t blocks) {
  constexpr int kEach = kNf4ScaleBlock / kWarpSize;
  const int64_t block = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  const int64_t first = block * kNf4ScaleBlock + threadIdx.x % kWarpSize;
  const float offset = *op.to.offset;
  float scales[kEach], absmax = 0.0f;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int64_t at = first + i * kWarpSize;
    scales[i] = at < blocks ? op.absmax[at] - offset : 0.0f;
    absmax = fmaxf(absmax, fabsf(scales[i]));
  }
  absmax = warp_max(absmax);
  const float inverse = inverse_of(absmax);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int64_t at = first + i * kWarpSize;
    if (at < blocks) {
      op.to.scale_codes[at] = static_cast<uint8_t>(dynamic_code<true>(
          scales[i] * inverse, [&](int code) { return dynamic_middle(op.to.dynamic_map, code); }));
    }
  }
  if (first < blocks && threadIdx.x % kWarpSize == 0) {
    op.to.scale_absmax[block] = absmax;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) dequantise_kernel(Nf4Dequantise op) {
  PLUMB_SHARED_ARRAY(float, table, 16);
  put_nf4_values(table);
  __syncthreads();
  constexpr int kEach = kVectorOf<T>;
  const int64_t at = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kEach;
  T* const out = static_cast<T*>(op.out) + at;
  if (at + kEach <= op.from.count) {
    float values[kEach];
    decode_nf4<T, kEach>(op.from, at, table, values);
    Pack<T, kEach> pack;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      pack.values[i] = from_float<T>(values[i]);
    }
    store_pack(out, pack);
    return;
  }
  for (int64_t i = 0; at + i < op.from.count; ++i) {
    float value[1];
    decode_nf4<T, 1>(op.from, at + i, table, value);
    out[i] = from_float<T>(value[0]);
  }
}

}  // namespace

void launch_nf4_quantise(const Nf4Quantise& op, KernelStream stream) {
  const int64_t blocks = nf4_blocks(op.to.count), partials = sum64_blocks(blocks);
  if (blocks == 0) {
    return;
  }
  with_dtype(op.dtype, [&](auto type) {
    const LaunchShape shape{dim3(blocks_for(blocks, kWarps)), dim3(kThreads)};
    PLUMB_LAUNCH(codes_kernel<decltype(type)>, shape, stream, op);
  });
  const LaunchShape sums{dim3(static_cast<unsigned>(partials)), dim3(kSum64Threads)};
  PLUMB_LAUNCH(scale_sums_kernel, sums, stream, op.partial, op.absmax, blocks);
  const LaunchShape one{dim3(1), dim3(kSum64Threads)};
  PLUMB_LAUNCH(scale_mean_kernel, one, stream, op.to.offset, op.partial, partials, blocks);
  const LaunchShape scales{dim3(blocks_for(blocks, kNf4ScaleBlock * kWarps)), dim3(kThreads)};
  PLUMB_LAUNCH(scale_codes_kernel, scales, stream, op, blocks);
}

void launch_nf4_dequantise(const Nf4Dequantise& op, KernelStream stream) {
  if (op.from.count == 0) {
    return;
  }
  with_dtype(op.dtype, [&](auto type) {
    using T = decltype(type);
    const LaunchShape shape{dim3(blocks_for(op.from.count, kThreads * kVectorOf<T>)),
                            dim3(kThreads)};
    PLUMB_LAUNCH(dequantise_kernel<T>, shape, stream, op);
  });
}

}  // namespace plumb
