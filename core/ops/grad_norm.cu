#include "core/ops/grad_norm_kernel.h"

#include "core/ops/cuda/block_sum.cuh"
#include "core/ops/cuda/dispatch.cuh"

namespace plumb {
namespace {

constexpr int kNormThreads = 512;
constexpr int kClipThreads = 256;

template <class T, int kPack>
__global__ void __launch_bounds__(kNormThreads)
    squares_kernel(double* partial, const T* grads, int64_t count, int64_t chunk) {
  PLUMB_SHARED_ARRAY(double, of_warps, kNormThreads / kWarpSize);
  const int64_t begin = blockIdx.x * chunk;
  const int64_t end = begin + chunk < count ? begin + chunk : count;
  const int64_t whole = begin + (end - begin) / kPack * kPack;
  double sum = 0.0;
  const auto add = [&sum](auto value) {
    const double v = to_float(value);  // its square may exceed f32
    sum += v * v;
  };
  for (int64_t at = begin + threadIdx.x * kPack; at < whole; at += kNormThreads * kPack) {
    const Pack<T, kPack> pack = load_pack<T, kPack>(grads + at);
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      add(pack.values[v]);
    }
  }
  if constexpr (kPack > 1) {
    for (int64_t at = whole + threadIdx.x; at < end; at += kNormThreads) {
      add(grads[at]);
    }
  }
  sum = block_sum<kNormThreads>(sum, of_warps);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;
  }
}

__global__ void __launch_bounds__(kClipThreads)
    clip_kernel(GradientClip* clip, const double* partial, int64_t partials, double max_norm) {
  PLUMB_SHARED_ARRAY(double, of_warps, kClipThreads / kWarpSize);
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < partials; i += kClipThreads) {
    sum += partial[i];
  }
  const double norm = sqrt(block_sum<kClipThreads>(sum, of_warps));
  if (threadIdx.x == 0) {
    const bool is_finite = norm <= 1.7976931348623157e308;
    const bool is_clipped = is_finite && max_norm > 0.0 && norm > max_norm;
    *clip = {norm, is_clipped ? static_cast<float>(max_norm / (norm + 1e-6)) : 1.0f,
             is_finite ? 1 : 0};
  }
}

}  // namespace

void launch_grad_norm(const GradNorm& op, KernelStream stream) {
  const int64_t partials = grad_norm_partials(op.count), chunk = grad_norm_chunk(op.count);
  if (partials > 0) {
    const LaunchShape shape{dim3(static_cast<unsigned>(partials)), dim3(kNormThreads)};
    with_dtype(op.dtype, [&](auto type) {
      using T = decltype(type);
      const T* const grads = static_cast<const T*>(op.grads);
      if (is_vectorizable<T>(grads, 0)) {
        PLUMB_LAUNCH((squares_kernel<T, kVectorOf<T>>), shape, stream, op.partial, grads, op.count,
                     chunk);
      } else {
        PLUMB_LAUNCH((squares_kernel<T, 1>), shape, stream, op.partial, grads, op.count, chunk);
      }
    });
  }
  const LaunchShape one{dim3(1), dim3(kClipThreads)};
  PLUMB_LAUNCH(clip_kernel, one, stream, op.clip, op.partial, partials, op.max_norm);
}

}  // namespace plumb
