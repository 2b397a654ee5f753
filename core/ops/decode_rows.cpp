#include "core/ops/decode_rows.h"

#include <cmath>

#include "core/ops/activation_rows.h"
#include "core/ops/spin_pool.h"

namespace plumb {
namespace {

void rms_row(const float* x, const DecodeNorm& norm, float* out) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < norm.width; ++c) {
    sum += x[c] * x[c];
  }
  const float rstd = 1.0f / std::sqrt(sum / static_cast<float>(norm.width) + norm.eps);
#pragma omp simd
  for (int64_t c = 0; c < norm.width; ++c) {
    out[c] = x[c] * rstd * norm.weight[c];
  }
}

void layer_norm_row(const float* x, const DecodeNorm& norm, float* out) {
  const auto width = static_cast<float>(norm.width);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < norm.width; ++c) {
    sum += x[c];
  }
  const float mean = sum / width;
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < norm.width; ++c) {
    squares += (x[c] - mean) * (x[c] - mean);
  }
  const float rstd = 1.0f / std::sqrt(squares / width + norm.eps);
#pragma omp simd
  for (int64_t c = 0; c < norm.width; ++c) {
    out[c] = (x[c] - mean) * rstd * norm.weight[c] + norm.bias[c];
  }
}

}  // namespace

void decode_norm(const float* x, int64_t num_rows, const DecodeNorm& norm, float* out) {
  const auto norm_row = norm.bias == nullptr ? rms_row : layer_norm_row;
  spin_rows(num_rows, norm.width,
            [&](int64_t row) { norm_row(x + row * norm.width, norm, out + row * norm.width); });
}

void decode_head_norm(float* x, int64_t stride, int64_t heads, int64_t num_rows,
                      const DecodeNorm& norm) {
  spin_rows(num_rows, heads * norm.width, [&](int64_t row) {
    for (int64_t head = 0; head < heads; ++head) {
      float* values = x + row * stride + head * norm.width;
      rms_row(values, norm, values);
    }
  });
}

void decode_rotate(float* x, int64_t stride, int64_t heads, std::span<const int64_t> rows,
                   const DecodeRotary& rotary) {
  const int64_t half = rotary.half;
  spin_rows(static_cast<int64_t>(rows.size()), heads * 2 * half, [&](int64_t row) {
    const float* cos = rotary.cos + rows[row] * half;
    const float* sin = rotary.sin + rows[row] * half;
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

void decode_activate(const float* gate_up, int64_t num_rows, int64_t width,
                     const ActivationRule& rule, float* out) {
  with_activation(rule.activation, [&]<class Act>(Act) {
    spin_rows(num_rows, 4 * width, [&](int64_t row) {
      float* to = out + row * width;
      if (rule.is_gated) {
        const float* gate = gate_up + row * 2 * width;
        gated_row<Act>(to, gate, gate + width, width);
      } else {
        plain_row<Act>(to, gate_up + row * width, width);
      }
    });
  });
}

void decode_add(float* values, const float* other, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    values[i] += other[i];
  }
}

void decode_scale(float* values, float factor, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    values[i] *= factor;
  }
}

void decode_softcap(float* values, int64_t num_rows, int64_t width, float cap) {
  spin_rows(num_rows, 4 * width, [&](int64_t row) {
    float* z = values + row * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      z[i] = cap * vector_tanh(z[i] / cap);
    }
  });
}

}  // namespace plumb
