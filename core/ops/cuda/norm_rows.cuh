// What RMSNorm and LayerNorm do alike with a row; `norm` is the arguments of either.
#pragma once
#include "core/ops/cuda/row_plan.cuh"

namespace plumb {

// The row that is normed: x, or x + residual, which is stored where a place is given.
template <class T, int kPack, int kPacks, class Norm>
__device__ __forceinline__ void load_normed_row(RowPart<T, kPack, kPacks>& part, const Norm& norm,
                                                int64_t row) {
  const int width = static_cast<int>(norm.width);
  part.load(row_of<T>(norm.x, row, width), width);
  if (norm.residual != nullptr) {
    part.add(row_of<T>(norm.residual, row, width), width);
    if (norm.sum != nullptr) {
      part.store(row_of<T>(norm.sum, row, width), width);
    }
  }
}

// grad_x = gradient(p, v, w) of each value that the thread holds, plus the residual's gradient.
template <class T, int kPack, int kPacks, class Norm, class Gradient>
__device__ __forceinline__ void store_grad_x(const Norm& norm, int64_t row,
                                             const Gradient& gradient) {
  const int width = static_cast<int>(norm.width);
  const T* const residual = row_of<T>(norm.grad_residual, row, norm.width);
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const Pack<T, kPack> w = pack_of<T, kPack>(static_cast<const T*>(norm.w), p, width);
    Pack<T, kPack> out =
        residual == nullptr ? zero_pack<T, kPack>() : pack_of<T, kPack>(residual, p, width);
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      out.values[v] =
          from_float<T>(to_float(out.values[v]) + gradient(p, v, to_float(w.values[v])));
    }
    store_pack_of<T, kPack>(row_of<T>(norm.grad_x, row, norm.width), p, width, out);
  }
}

}  // namespace plumb
