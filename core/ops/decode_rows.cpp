#include "core/ops/decode_rows.h"

#include <cmath>

#include "core/ops/parallel.h"
#include "core/ops/vector_exp.h"

namespace plumb {

void decode_rms_norm(const float* x, int64_t num_rows, const DecodeNorm& norm, float* out) {
  for_rows(num_rows, norm.width, [&](int64_t row) {
    const float* from = x + row * norm.width;
    float* to = out + row * norm.width;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < norm.width; ++c) {
      sum += from[c] * from[c];
    }
    const float rstd = 1.0f / std::sqrt(sum / static_cast<float>(norm.width) + norm.eps);
#pragma omp simd
    for (int64_t c = 0; c < norm.width; ++c) {
      to[c] = from[c] * rstd * norm.weight[c];
    }
  });
}

void decode_rotate(float* x, int64_t stride, int64_t heads, std::span<const DecodeRow> rows,
                   const DecodeRotary& rotary) {
  const int64_t half = rotary.head_dim / 2;
  for_rows(static_cast<int64_t>(rows.size()), heads * rotary.head_dim, [&](int64_t row) {
    const float* cos = rotary.cos + rows[row].position * half;
    const float* sin = rotary.sin + rows[row].position * half;
    for (int64_t head = 0; head < heads; ++head) {
      float* first = x + row * stride + head * rotary.head_dim;
      float* second = first + half;
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        const float a = first[i];
        const float b = second[i];
        first[i] = a * cos[i] - b * sin[i];
        second[i] = b * cos[i] + a * sin[i];
      }
    }
  });
}

void decode_swiglu(const float* gate_up, int64_t num_rows, int64_t width, float* out) {
  for_rows(num_rows, 4 * width, [&](int64_t row) {
    const float* gate = gate_up + row * 2 * width;
    const float* up = gate + width;
    float* to = out + row * width;
#pragma omp simd
    for (int64_t f = 0; f < width; ++f) {
      to[f] = gate[f] / (1.0f + vector_exp(-gate[f])) * up[f];
    }
  });
}

}  // namespace plumb
