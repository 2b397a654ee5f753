// The elementwise parts of a decode step, into buffers that live from step to step: the tensor
// forms (rms_norm.h, layer_norm.h, rope.h, activation.h) allocate at each call, which at one row
// costs more than the arithmetic. Same equations; each row is computed alone.
#pragma once
#include <cstdint>
#include <span>

#include "core/ops/activation.h"

namespace plumb {

// out = x / sqrt(mean(x^2) + eps) * weight; LayerNorm, which has a bias, takes the mean away first.
// x, out: (N, C)   weight, bias: (C)
struct DecodeNorm {
  const float* weight = nullptr;
  const float* bias = nullptr;  // null: RMSNorm
  int64_t width = 0;            // C
  float eps = 0.0f;
};
void decode_norm(const float* x, int64_t num_rows, const DecodeNorm& norm, float* out);

// RMSNorm over each of `heads` heads a row, in place.   x: (N, heads, D = norm.width), rows
// `stride` apart
void decode_head_norm(float* x, int64_t stride, int64_t heads, int64_t num_rows,
                      const DecodeNorm& norm);

// Half-split rotation of the first R values of `heads` heads a row, in place.   x: (N, heads, D),
// rows `stride` apart   rows: (N), rows of the tables
struct DecodeRotary {
  const float* cos = nullptr;  // (P, R / 2)
  const float* sin = nullptr;
  int64_t half = 0;      // R / 2
  int64_t head_dim = 0;  // D
};
void decode_rotate(float* x, int64_t stride, int64_t heads, std::span<const int64_t> rows,
                   const DecodeRotary& rotary);

// As activate.   gate_up: (N, 2 F) or, not gated, (N, F)   out: (N, F)
void decode_activate(const float* gate_up, int64_t num_rows, int64_t width,
                     const ActivationRule& rule, float* out);

void decode_add(float* values, const float* other, int64_t count);  // values += other
void decode_scale(float* values, float factor, int64_t count);

// values = cap tanh(values / cap).   values: (N, width)
void decode_softcap(float* values, int64_t num_rows, int64_t width, float cap);

}  // namespace plumb
