#include "core/ops/rope.h"

#include <ATen/Dispatch.h>

#include <algorithm>

#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/parallel.h"
#include "core/ops/rope_device.h"
#include "core/ops/rope_scaling.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

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

void rotate_by(const at::Tensor& x, const at::Tensor& table_rows, const RotaryTable& table,
               Turn turn) {
  const profile::Span span("rope");
  const int64_t half = table.cos.size(1);
  check_shape(x, {table_rows.size(0), -1, -1}, "rope: x");
  check_dense_rows(x, "rope: x");
  TORCH_INTERNAL_ASSERT(x.size(2) >= 2 * half);
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_rotate_(*kernels, x, {table_rows, table, turn});
  }
  const int sign = turn == Turn::forward ? 1 : -1;
  const int64_t rows = x.size(0), heads = x.size(1);
  const int64_t row_stride = x.stride(0), head_stride = x.stride(1);
  const int64_t* place = table_rows.const_data_ptr<int64_t>();
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

RotaryTable table_of(const at::Tensor& angles, double factor) {
  if (factor == 1.0) {
    return {angles.cos(), angles.sin()};
  }
  return {angles.cos().mul_(factor), angles.sin().mul_(factor)};
}

}  // namespace

RotaryTable rotary_table(const RotarySpec& spec, int64_t num_positions) {
  const at::NoGradGuard no_grad;
  const RotaryFrequencies found = rotary_frequencies(spec, /*length=*/0);
  const at::Tensor positions = at::arange(num_positions, at::kFloat);
  return table_of(positions.unsqueeze(1) * found.inv_freq.unsqueeze(0), found.attention_factor);
}

RotaryTable rotary_table_of_rows(const RotarySpec& spec, const std::vector<int64_t>& positions,
                                 const std::vector<int64_t>& lengths) {
  const at::NoGradGuard no_grad;
  TORCH_INTERNAL_ASSERT(positions.size() == lengths.size());
  const auto rows = static_cast<int64_t>(positions.size());
  at::Tensor angles = at::empty({rows, spec.dim / 2}, at::kFloat);
  RotaryFrequencies found;
  for (int64_t row = 0; row < rows; ++row) {
    if (row == 0 || lengths[row] != lengths[row - 1]) {
      found = rotary_frequencies(spec, lengths[row]);
    }
    angles[row].copy_(found.inv_freq * static_cast<float>(positions[row]));
  }
  return table_of(angles, found.attention_factor);
}

RotaryTable on_device(const RotaryTable& table, const at::Device& device) {
  return {table.cos.to(device), table.sin.to(device)};
}

RotaryTable RotaryCache::get(const RotarySpec& spec, int64_t num_positions,
                             const at::Device& device) {
  const std::lock_guard lock(mutex_);
  const int64_t have = table_.cos.defined() ? table_.cos.size(0) : 0;
  if (have < num_positions || table_.cos.device() != device) {
    table_ =
        on_device(rotary_table(spec, std::max<int64_t>({num_positions, 2 * have, 256})), device);
  }
  return table_;
}

void rotate_(const at::Tensor& x, const at::Tensor& rows, const RotaryTable& table) {
  rotate_by(x, rows, table, Turn::forward);
}

void rotate_back_(const at::Tensor& x, const at::Tensor& rows, const RotaryTable& table) {
  rotate_by(x, rows, table, Turn::backward);
}

at::Tensor rotate_ref(const at::Tensor& x, const at::Tensor& rows, const RotaryTable& table) {
  const at::Tensor cos = table.cos.index_select(0, rows).to(x.scalar_type()).unsqueeze(1);
  const at::Tensor sin = table.sin.index_select(0, rows).to(x.scalar_type()).unsqueeze(1);
  const int64_t half = table.cos.size(1);
  const at::Tensor first = x.narrow(2, 0, half), second = x.narrow(2, half, half);
  const at::Tensor rest = x.narrow(2, 2 * half, x.size(2) - 2 * half);
  return at::cat({first * cos - second * sin, second * cos + first * sin, rest}, -1);
}

}  // namespace plumb
