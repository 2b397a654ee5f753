#include "core/ops/cuda/column_sum.cuh"
#include "core/ops/cuda/norm_rows.cuh"
#include "core/ops/cuda/reduce.cuh"
#include "core/ops/rms_norm_kernel.h"

namespace plumb {
namespace {

template <class T, int kPack, int kPacks>
__device__ __forceinline__ float sum_of_squares(const RowPart<T, kPack, kPacks>& part) {
  float squares = 0.0f;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      squares += part.get(p, v) * part.get(p, v);
    }
  }
  return squares;
}

// A row is blockDim.x threads, a block blockDim.y rows. The row stays in registers: x is read once.
template <class T, int kPack, int kPacks>
__global__ void __launch_bounds__(kMostRowThreads) rms_norm_forward_kernel(RmsNormForward norm) {
  PLUMB_SHARED_ARRAY(float, warp_sums, kMostWarps);
  const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= norm.rows) {
    return;  // only in blocks of one-warp rows, which meet at no barrier
  }
  const int width = static_cast<int>(norm.width);
  RowPart<T, kPack, kPacks> part;
  load_normed_row(part, norm, row);
  const float squares = block_row_sum(sum_of_squares(part), warp_sums);
  const float rstd = rsqrtf(squares / static_cast<float>(width) + norm.eps);
  if (threadIdx.x == 0) {
    norm.rstd[row] = rstd;
  }
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const Pack<T, kPack> w = pack_of<T, kPack>(static_cast<const T*>(norm.w), p, width);
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      const float normed = part.get(p, v) * rstd;
      const float kept = norm.rounding == NormRounding::before_weight ? rounded<T>(normed) : normed;
      part.set(p, v, kept * to_float(w.values[v]));
    }
    store_pack_of<T, kPack>(row_of<T>(norm.y, row, width), p, width, part.packs[p]);
  }
}

// What a thread holds of a row in the backward.
template <class T, int kPack, int kPacks>
struct BackwardRow {
  RowPart<T, kPack, kPacks> x, grad_y;
  float rstd;
  float pull;  // rstd^2 / C sum_j grad_y_j w_j x_j

  __device__ __forceinline__ void load(const RmsNormBackward& norm, int64_t row, float* warp_sums) {
    const int width = static_cast<int>(norm.width);
    x.load(row_of<T>(norm.x, row, norm.width), width);
    grad_y.load(row_of<T>(norm.grad_y, row, norm.width), width);
    float dot = 0.0f;
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const Pack<T, kPack> w = pack_of<T, kPack>(static_cast<const T*>(norm.w), p, width);
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        dot += grad_y.get(p, v) * to_float(w.values[v]) * x.get(p, v);
      }
    }
    rstd = norm.rstd[row];
    pull = rstd * rstd * block_row_sum(dot, warp_sums) / static_cast<float>(norm.width);
  }

  // grad_x_i = rstd (grad_y_i w_i - x_i pull), plus the residual's gradient.
  __device__ __forceinline__ void store_grad_x(const RmsNormBackward& norm, int64_t row) const {
    plumb::store_grad_x<T, kPack, kPacks>(norm, row, [this](int p, int v, float w) {
      return rstd * (grad_y.get(p, v) * w - x.get(p, v) * pull);
    });
  }
};

// A group of blockDim.x threads walks `chunk` rows and, if wanted, sums grad_y x rstd over them.
template <class T, int kPack, int kPacks, bool kWithWeight>
__global__ void __launch_bounds__(kMostRowThreads)
    rms_norm_backward_kernel(RmsNormBackward norm, int64_t chunk) {
  PLUMB_SHARED_ARRAY(float, warp_sums, 2 * kMostWarps);
  const int64_t group = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  const int64_t begin = group * chunk;
  if (begin >= norm.rows) {
    return;  // as in the forward
  }
  const int64_t end = begin + chunk < norm.rows ? begin + chunk : norm.rows;
  float sum_w[kPacks][kPack] = {};
  for (int64_t row = begin; row < end; ++row) {
    BackwardRow<T, kPack, kPacks> part;
    part.load(norm, row, warp_sums + (row - begin) % 2 * kMostWarps);
    part.store_grad_x(norm, row);
    if constexpr (kWithWeight) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
#pragma unroll
        for (int v = 0; v < kPack; ++v) {
          sum_w[p][v] += part.grad_y.get(p, v) * (part.x.get(p, v) * part.rstd);
        }
      }
    }
  }
  if constexpr (kWithWeight) {
    store_sums(norm.partial + group * norm.width, sum_w, static_cast<int>(norm.width));
  }
}

template <class T>
void forward(const RmsNormForward& norm, KernelStream stream) {
  const bool is_aligned =
      are_vectorizable<T>(norm.width, {norm.y, norm.sum, norm.x, norm.residual, norm.w});
  const RowPlan plan = row_plan(norm.width, is_aligned ? kVectorOf<T> : 1, kRowValues, "rms_norm");
  with_row_plan<T, kRowValues>(plan, [&](auto pack, auto packs) {
    PLUMB_LAUNCH((rms_norm_forward_kernel<T, decltype(pack)::value, decltype(packs)::value>),
                 row_shape(plan, norm.rows), stream, norm);
  });
}

template <class T, bool kWithWeight>
void backward(const RmsNormBackward& norm, const RowGroups& of, KernelStream stream) {
  constexpr int kValues = kWithWeight ? kSummedRowValues : kRowValues;
  const bool is_aligned = are_vectorizable<T>(
      norm.width, {norm.grad_x, norm.grad_y, norm.grad_residual, norm.x, norm.w, norm.partial});
  const RowPlan plan =
      row_plan(norm.width, is_aligned ? kVectorOf<T> : 1, kValues, "rms_norm backward");
  with_row_plan<T, kValues>(plan, [&](auto pack, auto packs) {
    PLUMB_LAUNCH(
        (rms_norm_backward_kernel<T, decltype(pack)::value, decltype(packs)::value, kWithWeight>),
        row_shape(plan, of.groups), stream, norm, of.chunk);
  });
}

template <class T>
void backward_with_weight(const RmsNormBackward& norm, KernelStream stream) {
  const RowGroups of = row_groups(norm.rows, norm_partials(norm.rows));
  backward<T, true>(norm, of, stream);
  launch_column_sum(static_cast<T*>(norm.grad_w), norm.partial, of.groups, norm.width, stream);
}

}  // namespace

void launch_rms_norm_forward(const RmsNormForward& norm, KernelStream stream) {
  if (norm.rows > 0) {
    with_dtype(norm.dtype, [&](auto type) { forward<decltype(type)>(norm, stream); });
  }
}

void launch_rms_norm_backward(const RmsNormBackward& norm, KernelStream stream) {
  if (norm.rows == 0) {
    return;
  }
  with_dtype(norm.dtype, [&](auto type) {
    using T = decltype(type);
    if (norm.grad_w == nullptr) {
      backward<T, false>(norm, row_groups(norm.rows, norm.rows), stream);
    } else {
      backward_with_weight<T>(norm, stream);
    }
  });
}

}  // namespace plumb
