// Rotary position embedding on the GPU (core/ops/rope.h), in place.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

enum class Turn : int32_t { forward, backward };  // backward: the transposed map

// x: heads of one token `head_stride` values apart, tokens `row_stride` apart, values of a head
// dense: q and k in a packed (N, (H + 2 K) D) buffer are H + K heads of one call. The first R
// values of a head are turned, halves against each other (transformers' rotate_half). In bf16,
// cosines, sines, both products and their sum are rounded as in transformers.
struct Rope {
  void* x = nullptr;
  const int64_t* table_rows = nullptr;  // (N), in [0, P)
  const float* cos = nullptr;           // (P, R / 2)
  const float* sin = nullptr;           // (P, R / 2)
  int64_t tokens = 0, heads = 0, rotary_dim = 0;
  int64_t row_stride = 0, head_stride = 0;
  Turn turn = Turn::forward;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_rope(const Rope& rope, KernelStream stream);

}  // namespace plumb
