// Kernels that keep a row in registers: the device side of row_plan.h.
#pragma once
#include <initializer_list>

#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/row_plan.h"

namespace plumb {

// Where the thread's p-th pack begins in its row; may lie past the end.
template <int kPack>
__device__ __forceinline__ int row_place(int p) {
  return (p * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * kPack;
}

// The thread's p-th pack of a row that is used once; zeros past the end.
template <class T, int kPack>
__device__ __forceinline__ Pack<T, kPack> pack_of(const T* row, int p, int width) {
  const int at = row_place<kPack>(p);
  return at < width ? load_pack<T, kPack>(row + at) : zero_pack<T, kPack>();
}
template <class T, int kPack>
__device__ __forceinline__ void store_pack_of(T* row, int p, int width,
                                              const Pack<T, kPack>& pack) {
  const int at = row_place<kPack>(p);
  if (at < width) {
    store_pack(row + at, pack);
  }
}

// A thread's part of a row; zeros past its end.
template <class T, int kPack, int kPacks>
struct RowPart {
  Pack<T, kPack> packs[kPacks];

  __device__ __forceinline__ void load(const T* row, int width) {
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      packs[p] = pack_of<T, kPack>(row, p, width);
    }
  }
  __device__ __forceinline__ void store(T* row, int width) const {
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      store_pack_of<T, kPack>(row, p, width, packs[p]);
    }
  }
  // Adds a row, rounded as a tensor of T.
  __device__ __forceinline__ void add(const T* row, int width) {
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const Pack<T, kPack> added = pack_of<T, kPack>(row, p, width);
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        set(p, v, get(p, v) + to_float(added.values[v]));
      }
    }
  }
  __device__ __forceinline__ float get(int p, int v) const {
    return to_float(packs[p].values[v]);
  }
  __device__ __forceinline__ void set(int p, int v, float value) {
    packs[p].values[v] = from_float<T>(value);
  }
};

// Row of a (rows, width) array; null stays null.
template <class T>
__device__ __forceinline__ T* row_of(void* array, int64_t row, int64_t width) {
  return array == nullptr ? nullptr : static_cast<T*>(array) + row * width;
}
template <class T>
__device__ __forceinline__ const T* row_of(const void* array, int64_t row, int64_t width) {
  return array == nullptr ? nullptr : static_cast<const T*>(array) + row * width;
}

// f32 sums of a thread's part of the columns, into a row of a (groups, width) matrix.
template <int kPack, int kPacks>
__device__ __forceinline__ void store_sums(float* row, const float (&sums)[kPacks][kPack],
                                           int width) {
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int at = row_place<kPack>(p);
    if (at >= width) {
      continue;
    }
    if constexpr (kPack % 4 == 0) {
#pragma unroll
      for (int v = 0; v < kPack; v += 4) {
        *reinterpret_cast<float4*>(row + at + v) =
            make_float4(sums[p][v], sums[p][v + 1], sums[p][v + 2], sums[p][v + 3]);
      }
    } else {
      row[at] = sums[p][0];
    }
  }
}

template <class T>
bool are_vectorizable(int64_t width, std::initializer_list<const void*> arrays) {
  for (const void* array : arrays) {
    if (!is_vectorizable<T>(array, width)) {
      return false;
    }
  }
  return true;
}

inline LaunchShape row_shape(const RowPlan& plan, int64_t rows) {
  return {dim3(static_cast<unsigned>((rows + plan.rows_a_block - 1) / plan.rows_a_block)),
          dim3(static_cast<unsigned>(plan.threads_a_row), static_cast<unsigned>(plan.rows_a_block)),
          0};
}

// body(pack, packs): constants of the plan. kValues as given to row_plan.
template <class T, int kValues, class Body>
void with_row_plan(const RowPlan& plan, const Body& body) {
  constexpr int kPack = kVectorOf<T>;
  constexpr int kMost = kValues / kPack;
  if (plan.pack == 1) {
    plan.packs == 4 ? body(Constant<1>{}, Constant<4>{}) : body(Constant<1>{}, Constant<16>{});
  } else if (plan.packs == kMost) {
    body(Constant<kPack>{}, Constant<kMost>{});
  } else if (plan.packs == 1) {
    body(Constant<kPack>{}, Constant<1>{});
  } else if (plan.packs == 2) {
    body(Constant<kPack>{}, Constant<2>{});
  } else {
    body(Constant<kPack>{}, Constant < kMost < 4 ? kMost : 4 > {});
  }
}

}  // namespace plumb
