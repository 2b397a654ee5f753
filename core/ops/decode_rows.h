// The elementwise parts of a decode step, into buffers that live from step to step: the tensor
// forms of rms_norm.h, rope.h and swiglu.h allocate at each call, which at one row costs more than
// the arithmetic. Same equations; each row is computed alone.
#pragma once
#include <cstdint>
#include <span>

#include "core/ops/decode_attention.h"

namespace plumb {

// out = x / sqrt(mean(x^2) + eps) * weight.   x, out: (N, C)   weight: (C)
struct DecodeNorm {
  const float* weight = nullptr;
  int64_t width = 0;  // C
  float eps = 0.0f;
};
void decode_rms_norm(const float* x, int64_t num_rows, const DecodeNorm& norm, float* out);

// Half-split rotation of `heads` heads a row, in place.   x: (N, heads, D), rows `stride` apart
// cos, sin: (P, D / 2), P over every position.
struct DecodeRotary {
  const float* cos = nullptr;
  const float* sin = nullptr;
  int64_t head_dim = 0;  // D
};
void decode_rotate(float* x, int64_t stride, int64_t heads, std::span<const DecodeRow> rows,
                   const DecodeRotary& rotary);

// out = silu(gate) * up.   gate_up: (N, 2 F), gate first   out: (N, F)
void decode_swiglu(const float* gate_up, int64_t num_rows, int64_t width, float* out);

}  // namespace plumb
