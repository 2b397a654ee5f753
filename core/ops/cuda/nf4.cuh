// NF4's values and scales (core/ops/nf4_kernel.h).
#pragma once
#include "core/ops/cuda/vectors.cuh"
#include "core/ops/nf4_kernel.h"

namespace plumb {

// Quantiles of a normal distribution (Dettmers et al. 2023, appendix E), to f32's bits.
__device__ __forceinline__ constexpr float nf4_value(int code) {
  constexpr float kValues[16] = {-1.0f,
                                 -0.6961928009986877f,
                                 -0.5250730514526367f,
                                 -0.39491748809814453f,
                                 -0.28444138169288635f,
                                 -0.18477343022823334f,
                                 -0.09105003625154495f,
                                 0.0f,
                                 0.07958029955625534f,
                                 0.16093020141124725f,
                                 0.24611230194568634f,
                                 0.33791524171829224f,
                                 0.44070982933044434f,
                                 0.5626170039176941f,
                                 0.7229568362236023f,
                                 1.0f};
  return kValues[code];
}

// The nearest; of two equally near the lower.
__device__ __forceinline__ int nf4_code(float x) {
  int code = 0;
#pragma unroll
  for (int i = 0; i < 15; ++i) {
    code += x > (nf4_value(i) + nf4_value(i + 1)) / 2.0f ? 1 : 0;
  }
  return code;
}

// Fills 16 floats of shared memory, which lie on different banks; the caller's barrier follows.
__device__ __forceinline__ void put_nf4_values(float* values) {
  if (threadIdx.x == 0) {
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      values[i] = nf4_value(i);
    }
  }
}

// The scale of the block that holds flat place `at`: rounded after each step, as bitsandbytes does.
__device__ __forceinline__ float nf4_scale(const Nf4Weight& weight, int64_t at) {
  const int64_t block = at / kNf4Block;
  const float scaled = __fmul_rn(weight.dynamic_map[weight.scale_codes[block]],
                                 weight.scale_absmax[block / kNf4ScaleBlock]);
  return __fadd_rn(scaled, *weight.offset);
}

// kCount values from flat place `at`, as a tensor of T holds them. kCount > 1: 4 or 8, `at` a
// multiple of it.
template <class T, int kCount>
__device__ __forceinline__ void decode_nf4(const Nf4Weight& weight, int64_t at, const float* table,
                                           float (&values)[kCount]) {
  const float scale = nf4_scale(weight, at);
  if constexpr (kCount == 1) {
    const int byte = weight.codes[at / 2];
    values[0] = rounded<T>(table[at % 2 == 0 ? byte >> 4 : byte & 15] * scale);
  } else {
    const auto bytes = load_pack<uint8_t, kCount / 2>(weight.codes + at / 2);
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      values[i] = rounded<T>(table[bytes.values[i / 2] >> 4] * scale);
      values[i + 1] = rounded<T>(table[bytes.values[i / 2] & 15] * scale);
    }
  }
}

}  // namespace plumb
