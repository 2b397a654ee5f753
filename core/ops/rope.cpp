#include "core/ops/rope.h"

#include <ATen/Dispatch.h>

#include <algorithm>
#include <numbers>

#include "core/ops/check.h"
#include "core/ops/parallel.h"

namespace plumb {
namespace {

at::Tensor scale_as_llama3(const at::Tensor& inv_freq, const Llama3Rope& rope) {
  const double low_wavelength = rope.original_max_positions / rope.low_freq_factor;
  const double high_wavelength = rope.original_max_positions / rope.high_freq_factor;
  const at::Tensor wavelength = 2 * std::numbers::pi / inv_freq;
  const at::Tensor slowed =
      at::where(wavelength > low_wavelength, inv_freq / rope.factor, inv_freq);
  const at::Tensor smooth = (rope.original_max_positions / wavelength - rope.low_freq_factor) /
                            (rope.high_freq_factor - rope.low_freq_factor);
  const at::Tensor blended = (1 - smooth) * slowed / rope.factor + smooth * slowed;
  const at::Tensor between =
      (wavelength >= high_wavelength).logical_and(wavelength <= low_wavelength);
  return at::where(between, blended, slowed);
}

template <class T>
void rotate_head(T* x, const float* cos, const float* sin, int64_t half, T sign) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const T c = cos[i];
    const T s = sign * sin[i];
    const T first = x[i];
    const T second = x[half + i];
    x[i] = first * c - second * s;
    x[half + i] = second * c + first * s;
  }
}

void rotate_by(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table,
               int sign) {
  const int64_t half = table.cos.size(1);
  check_shape(x, {positions.size(0), -1, 2 * half}, "rope: x");
  check_dense_rows(x, "rope: x");
  const int64_t rows = x.size(0), heads = x.size(1);
  const int64_t row_stride = x.stride(0), head_stride = x.stride(1);
  const int64_t* place = positions.const_data_ptr<int64_t>();
  const float* cos = table.cos.const_data_ptr<float>();
  const float* sin = table.sin.const_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rope", [&] {
    scalar_t* data = x.mutable_data_ptr<scalar_t>();
    for_rows(rows, heads * 2 * half, [&](int64_t row) {
      const int64_t at = place[row] * half;
      for (int64_t head = 0; head < heads; ++head) {
        rotate_head(data + row * row_stride + head * head_stride, cos + at, sin + at, half,
                    static_cast<scalar_t>(sign));
      }
    });
  });
}

}  // namespace

// Every step in f32 and in transformers' order, so that tables have transformers' bits.
RotaryTable rotary_table(const RotarySpec& spec, int64_t num_positions) {
  const at::NoGradGuard no_grad;
  const auto f32 = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponent = at::arange(0, spec.head_dim, 2, f32) / spec.head_dim;
  at::Tensor inv_freq = 1.0 / at::pow(at::Scalar(spec.theta), exponent);
  if (spec.llama3) {
    inv_freq = scale_as_llama3(inv_freq, *spec.llama3);
  }
  const at::Tensor angles = at::arange(num_positions, f32).unsqueeze(1) * inv_freq.unsqueeze(0);
  return {angles.cos(), angles.sin()};
}

RotaryTable RotaryCache::get(const RotarySpec& spec, int64_t num_positions) {
  const std::lock_guard lock(mutex_);
  const int64_t have = table_.cos.defined() ? table_.cos.size(0) : 0;
  if (have < num_positions) {
    table_ = rotary_table(spec, std::max<int64_t>({num_positions, 2 * have, 256}));
  }
  return table_;
}

void rotate_(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table) {
  rotate_by(x, positions, table, 1);
}

void rotate_back_(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table) {
  rotate_by(x, positions, table, -1);
}

at::Tensor rotate_ref(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table) {
  const at::Tensor cos = table.cos.index_select(0, positions).to(x.scalar_type()).unsqueeze(1);
  const at::Tensor sin = table.sin.index_select(0, positions).to(x.scalar_type()).unsqueeze(1);
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
}

}  // namespace plumb
