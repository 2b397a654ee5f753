#include "core/ops/layer_norm_kernel.h"

#include "core/ops/cuda/column_sum.cuh"
#include "core/ops/cuda/norm_rows.cuh"
#include "core/ops/cuda/reduce.cuh"

namespace plumb {
namespace {

// Of the values of the row that the thread holds, visit(p, v): those past its end are left out.
template <int kPack, int kPacks, class Visit>
__device__ __forceinline__ void for_values(int width, const Visit& visit) {
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    if (row_place<kPack>(p) < width) {
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        visit(p, v);
      }
    }
  }
}

// Two sweeps over registers: the variance is that of x - mean, which loses nothing to cancellation.
template <class T, int kPack, int kPacks>
__global__ void __launch_bounds__(kMostRowThreads)
    layer_norm_forward_kernel(LayerNormForward norm) {
  PLUMB_SHARED_ARRAY(float, warp_sums, 2 * kMostWarps);
  const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= norm.rows) {
    return;  // only in blocks of one-warp rows, which meet at no barrier
  }
  const int width = static_cast<int>(norm.width);
  RowPart<T, kPack, kPacks> part;
  load_normed_row(part, norm, row);
  float sum = 0.0f, squares = 0.0f;
  for_values<kPack, kPacks>(width, [&](int p, int v) { sum += part.get(p, v); });
  const float mean = block_row_sum(sum, warp_sums) / static_cast<float>(width);
  for_values<kPack, kPacks>(width, [&](int p, int v) {
    const float centred = part.get(p, v) - mean;
    squares += centred * centred;
  });
  squares = block_row_sum(squares, warp_sums + kMostWarps);
  const float rstd = rsqrtf(squares / static_cast<float>(width) + norm.eps);
  if (threadIdx.x == 0) {
    norm.mean[row] = mean;
    norm.rstd[row] = rstd;
  }
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const Pack<T, kPack> w = pack_of<T, kPack>(static_cast<const T*>(norm.w), p, width);
    const Pack<T, kPack> b = pack_of<T, kPack>(static_cast<const T*>(norm.b), p, width);
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      const float normed = (part.get(p, v) - mean) * rstd;
      part.set(p, v, normed * to_float(w.values[v]) + to_float(b.values[v]));
    }
    store_pack_of<T, kPack>(row_of<T>(norm.y, row, width), p, width, part.packs[p]);
  }
}

// What a thread holds of a row in the backward; z = (x - mean) rstd.
template <class T, int kPack, int kPacks>
struct BackwardRow {
  RowPart<T, kPack, kPacks> x, grad_y;
  float mean, rstd;
  float shift, pull;  // means over the row of grad_y w and of grad_y w z

  __device__ __forceinline__ float normed(int p, int v) const {
    return (x.get(p, v) - mean) * rstd;
  }

  __device__ __forceinline__ void load(const LayerNormBackward& norm, int64_t row,
                                       float2* warp_sums) {
    const int width = static_cast<int>(norm.width);
    x.load(row_of<T>(norm.x, row, norm.width), width);
    grad_y.load(row_of<T>(norm.grad_y, row, norm.width), width);
    mean = norm.mean[row];
    rstd = norm.rstd[row];
    float2 sums = make_float2(0.0f, 0.0f);
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {  // zeros of grad_y past the end add nothing
      const Pack<T, kPack> w = pack_of<T, kPack>(static_cast<const T*>(norm.w), p, width);
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        const float weighted = grad_y.get(p, v) * to_float(w.values[v]);
        sums = make_float2(sums.x + weighted, sums.y + weighted * normed(p, v));
      }
    }
    sums = block_row_sum2(sums, warp_sums);
    shift = sums.x / static_cast<float>(norm.width);
    pull = sums.y / static_cast<float>(norm.width);
  }

  // rstd (grad_y w - shift - z pull), plus the residual's gradient.
  __device__ __forceinline__ void store_grad_x(const LayerNormBackward& norm, int64_t row) {
    mean = norm.mean[row];  // read again rather than held over the barrier: registers are short
    rstd = norm.rstd[row];
    plumb::store_grad_x<T, kPack, kPacks>(norm, row, [this](int p, int v, float w) {
      return rstd * (grad_y.get(p, v) * w - shift - normed(p, v) * pull);
    });
  }
};

// As rms_norm_backward_kernel; `groups` rows of the partial sums of w come before those of b.
template <class T, int kPack, int kPacks, bool kWithWeight>
__global__ void __launch_bounds__(kMostRowThreads)
    layer_norm_backward_kernel(LayerNormBackward norm, int64_t chunk, int64_t groups) {
  PLUMB_SHARED_ARRAY(float2, warp_sums, 2 * kMostWarps);
  const int64_t group = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  const int64_t begin = group * chunk;
  if (begin >= norm.rows) {
    return;  // as in the forward
  }
  const int64_t end = begin + chunk < norm.rows ? begin + chunk : norm.rows;
  float sum_w[kPacks][kPack] = {}, sum_b[kPacks][kPack] = {};
  for (int64_t row = begin; row < end; ++row) {
    BackwardRow<T, kPack, kPacks> part;
    part.load(norm, row, warp_sums + (row - begin) % 2 * kMostWarps);
    part.store_grad_x(norm, row);
    if constexpr (kWithWeight) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
#pragma unroll
        for (int v = 0; v < kPack; ++v) {
          sum_w[p][v] += part.grad_y.get(p, v) * part.normed(p, v);
          sum_b[p][v] += part.grad_y.get(p, v);
        }
      }
    }
  }
  if constexpr (kWithWeight) {
    const int width = static_cast<int>(norm.width);
    store_sums(norm.partial + group * norm.width, sum_w, width);
    store_sums(norm.partial + (groups + group) * norm.width, sum_b, width);
  }
}

template <class T>
void forward(const LayerNormForward& norm, KernelStream stream) {
  const bool is_aligned =
      are_vectorizable<T>(norm.width, {norm.y, norm.sum, norm.x, norm.residual, norm.w, norm.b});
  const RowPlan plan =
      row_plan(norm.width, is_aligned ? kVectorOf<T> : 1, kRowValues, "layer_norm");
  with_row_plan<T, kRowValues>(plan, [&](auto pack, auto packs) {
    PLUMB_LAUNCH((layer_norm_forward_kernel<T, decltype(pack)::value, decltype(packs)::value>),
                 row_shape(plan, norm.rows), stream, norm);
  });
}

template <class T, bool kWithWeight>
void backward(const LayerNormBackward& norm, const RowGroups& of, KernelStream stream) {
  constexpr int kValues = kWithWeight ? kSummedRowValues : kRowValues;
  const bool is_aligned = are_vectorizable<T>(
      norm.width, {norm.grad_x, norm.grad_y, norm.grad_residual, norm.x, norm.w, norm.partial});
  const RowPlan plan =
      row_plan(norm.width, is_aligned ? kVectorOf<T> : 1, kValues, "layer_norm backward");
  with_row_plan<T, kValues>(plan, [&](auto pack, auto packs) {
    PLUMB_LAUNCH(
        (layer_norm_backward_kernel<T, decltype(pack)::value, decltype(packs)::value, kWithWeight>),
        row_shape(plan, of.groups), stream, norm, of.chunk, of.groups);
  });
}

template <class T>
void backward_with_weight(const LayerNormBackward& norm, KernelStream stream) {
  const RowGroups of = row_groups(norm.rows, norm_partials(norm.rows));
  backward<T, true>(norm, of, stream);
  launch_column_sum(static_cast<T*>(norm.grad_w), norm.partial, of.groups, norm.width, stream);
  launch_column_sum(static_cast<T*>(norm.grad_b), norm.partial + of.groups * norm.width, of.groups,
                    norm.width, stream);
}

}  // namespace

void launch_layer_norm_forward(const LayerNormForward& norm, KernelStream stream) {
  if (norm.rows > 0) {
    with_dtype(norm.dtype, [&](auto type) { forward<decltype(type)>(norm, stream); });
  }
}

void launch_layer_norm_backward(const LayerNormBackward& norm, KernelStream stream) {
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
