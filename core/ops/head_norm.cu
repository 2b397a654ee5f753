#include "core/ops/head_norm_kernel.h"

#include "core/ops/cuda/column_sum.cuh"
#include "core/ops/cuda/reduce.cuh"
#include "core/ops/cuda/row_plan.cuh"

namespace plumb {
namespace {

constexpr int kHeadWarps = 8;   // of a block, in kernels that give a block one token
constexpr int kGroupWarps = 4;  // of a block, where a warp walks a group of tokens
constexpr int kMostHeadDim = 512;

// A warp holds a head; blockDim.x is a warp, as row_place takes for granted.
template <class T, int kPack, int kPacks>
__device__ __forceinline__ float head_rstd(const RowPart<T, kPack, kPacks>& x, int head_dim,
                                           float eps) {
  float squares = 0.0f;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      squares += x.get(p, v) * x.get(p, v);
    }
  }
  return rsqrtf(warp_sum(squares) / static_cast<float>(head_dim) + eps);
}

template <class T, int kPack, int kPacks>
__global__ void __launch_bounds__(kWarpSize* kHeadWarps)
    head_norm_forward_kernel(HeadNormForward norm) {
  const int head_dim = static_cast<int>(norm.head_dim);
  const T* const x = static_cast<const T*>(norm.x) + blockIdx.x * norm.x_stride;
  T* const y = static_cast<T*>(norm.y) + blockIdx.x * norm.y_stride;
  RowPart<T, kPack, kPacks> w;
  w.load(static_cast<const T*>(norm.w), head_dim);
#pragma unroll 1
  for (int64_t head = threadIdx.y; head < norm.heads; head += blockDim.y) {
    RowPart<T, kPack, kPacks> part;
    part.load(x + head * head_dim, head_dim);
    const float rstd = head_rstd(part, head_dim, norm.eps);
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        const float normed = part.get(p, v) * rstd;
        const float kept =
            norm.rounding == NormRounding::before_weight ? rounded<T>(normed) : normed;
        part.set(p, v, kept * w.get(p, v));
      }
    }
    part.store(y + head * head_dim, head_dim);
  }
}

// grad becomes rstd (grad w - x pull), pull = rstd^2 / D sum grad w x; sums gains grad x rstd.
template <class T, int kPack, int kPacks, bool kWithWeight>
__device__ __forceinline__ void head_backward(T* grad_head, const T* x_head,
                                              const RowPart<T, kPack, kPacks>& w, int head_dim,
                                              float eps, float (&sums)[kPacks][kPack]) {
  RowPart<T, kPack, kPacks> x, grad;
  x.load(x_head, head_dim);
  grad.load(grad_head, head_dim);
  const float rstd = head_rstd(x, head_dim, eps);
  float dot = 0.0f;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      dot += grad.get(p, v) * w.get(p, v) * x.get(p, v);
    }
  }
  const float pull = rstd * rstd * warp_sum(dot) / static_cast<float>(head_dim);
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      if constexpr (kWithWeight) {
        sums[p][v] += grad.get(p, v) * (x.get(p, v) * rstd);
      }
      grad.set(p, v, rstd * (grad.get(p, v) * w.get(p, v) - x.get(p, v) * pull));
    }
  }
  grad.store(grad_head, head_dim);
}

// A block a token.
template <class T, int kPack, int kPacks>
__global__ void __launch_bounds__(kWarpSize* kHeadWarps)
    head_norm_backward_kernel(HeadNormBackward norm) {
  const int head_dim = static_cast<int>(norm.head_dim);
  RowPart<T, kPack, kPacks> w;
  w.load(static_cast<const T*>(norm.w), head_dim);
  T* const grad = static_cast<T*>(norm.grad) + blockIdx.x * norm.grad_stride;
  const T* const x = static_cast<const T*>(norm.x) + blockIdx.x * norm.x_stride;
  float unused[kPacks][kPack];
#pragma unroll 1
  for (int64_t head = threadIdx.y; head < norm.heads; head += blockDim.y) {
    head_backward<T, kPack, kPacks, false>(grad + head * head_dim, x + head * head_dim, w, head_dim,
                                           norm.eps, unused);
  }
}

// A warp a group of `chunk` tokens, whose part of the weight's gradient it sums.
template <class T, int kPack, int kPacks>
__global__ void __launch_bounds__(kWarpSize* kGroupWarps)
    head_norm_weight_kernel(HeadNormBackward norm, int64_t chunk) {
  const int64_t group = int64_t{blockIdx.x} * blockDim.y + threadIdx.y, begin = group * chunk;
  if (begin >= norm.rows) {
    return;  // warps meet at no barrier
  }
  const int64_t end = begin + chunk < norm.rows ? begin + chunk : norm.rows;
  const int head_dim = static_cast<int>(norm.head_dim);
  RowPart<T, kPack, kPacks> w;
  w.load(static_cast<const T*>(norm.w), head_dim);
  float sums[kPacks][kPack] = {};
  for (int64_t row = begin; row < end; ++row) {
    T* const grad = static_cast<T*>(norm.grad) + row * norm.grad_stride;
    const T* const x = static_cast<const T*>(norm.x) + row * norm.x_stride;
#pragma unroll 1
    for (int64_t head = 0; head < norm.heads; ++head) {
      head_backward<T, kPack, kPacks, true>(grad + head * head_dim, x + head * head_dim, w,
                                            head_dim, norm.eps, sums);
    }
  }
  store_sums(norm.partial + group * head_dim, sums, head_dim);
}

// body(pack, packs): constants by which a warp holds a head. Four values a lane fill a warp at the
// usual 128; where rows are not whole packs, one.
template <class T, class Body>
void with_head_packs(int64_t head_dim, bool is_aligned, const char* op, const Body& body) {
  if (head_dim < 1 || head_dim > kMostHeadDim) {
    throw Error(std::string(op) + ": heads of " + std::to_string(head_dim) +
                " values; the kernel takes 1 to " + std::to_string(kMostHeadDim));
  }
  if (!is_aligned) {
    head_dim <= 128 ? body(Constant<1>{}, Constant<4>{}) : body(Constant<1>{}, Constant<16>{});
  } else if (head_dim <= 128) {
    body(Constant<4>{}, Constant<1>{});
  } else if (head_dim <= 256) {
    body(Constant<4>{}, Constant<2>{});
  } else {
    body(Constant<4>{}, Constant<4>{});
  }
}

// Whether four values at a time may be moved: 16 bytes of f32, 8 of bf16.
template <class T>
bool takes_fours(std::initializer_list<const void*> arrays,
                 std::initializer_list<int64_t> strides) {
  for (const void* array : arrays) {
    if (reinterpret_cast<uintptr_t>(array) % (4 * sizeof(T)) != 0) {
      return false;
    }
  }
  for (const int64_t stride : strides) {
    if (stride % 4 != 0) {
      return false;
    }
  }
  return true;
}

unsigned warps_for(int64_t heads) {
  return static_cast<unsigned>(heads < kHeadWarps ? heads : kHeadWarps);
}

template <class T>
void backward_with_weight(const HeadNormBackward& norm, bool is_aligned, KernelStream stream) {
  const RowGroups of = row_groups(norm.rows, head_norm_partials(norm.rows));
  const LaunchShape shape{dim3(static_cast<unsigned>((of.groups + kGroupWarps - 1) / kGroupWarps)),
                          dim3(kWarpSize, kGroupWarps)};
  with_head_packs<T>(norm.head_dim, is_aligned, "head_norm backward", [&](auto pack, auto packs) {
    PLUMB_LAUNCH((head_norm_weight_kernel<T, decltype(pack)::value, decltype(packs)::value>), shape,
                 stream, norm, of.chunk);
  });
  launch_column_sum(static_cast<T*>(norm.grad_w), norm.partial, of.groups, norm.head_dim, stream);
}

}  // namespace

void launch_head_norm_forward(const HeadNormForward& norm, KernelStream stream) {
  if (norm.rows == 0 || norm.heads == 0) {
    return;
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(norm.rows)),
                          dim3(kWarpSize, warps_for(norm.heads))};
  with_dtype(norm.dtype, [&](auto type) {
    using T = decltype(type);
    const bool is_aligned =
        takes_fours<T>({norm.y, norm.x, norm.w}, {norm.head_dim, norm.y_stride, norm.x_stride});
    with_head_packs<T>(norm.head_dim, is_aligned, "head_norm", [&](auto pack, auto packs) {
      PLUMB_LAUNCH((head_norm_forward_kernel<T, decltype(pack)::value, decltype(packs)::value>),
                   shape, stream, norm);
    });
  });
}

void launch_head_norm_backward(const HeadNormBackward& norm, KernelStream stream) {
  if (norm.rows == 0 || norm.heads == 0) {
    return;
  }
  with_dtype(norm.dtype, [&](auto type) {
    using T = decltype(type);
    const bool is_aligned = takes_fours<T>({norm.grad, norm.x, norm.w},
                                           {norm.head_dim, norm.grad_stride, norm.x_stride}) &&
                            reinterpret_cast<uintptr_t>(norm.partial) % kVectorBytes == 0;
    if (norm.grad_w != nullptr) {
      backward_with_weight<T>(norm, is_aligned, stream);
      return;
    }
    const LaunchShape shape{dim3(static_cast<unsigned>(norm.rows)),
                            dim3(kWarpSize, warps_for(norm.heads))};
    with_head_packs<T>(norm.head_dim, is_aligned, "head_norm backward", [&](auto pack, auto packs) {
      PLUMB_LAUNCH((head_norm_backward_kernel<T, decltype(pack)::value, decltype(packs)::value>),
                   shape, stream, norm);
    });
  });
}

}  // namespace plumb
