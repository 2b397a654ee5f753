#include "core/ops/swiglu.h"

#include <ATen/Dispatch.h>

#include "core/ops/check.h"
#include "core/ops/parallel.h"
#include "core/ops/vector_exp.h"

namespace plumb {
namespace {

template <class T>
void swiglu_row(T* h, const T* gate, const T* up, int64_t width) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    h[i] = gate[i] / (T{1} + vector_exp(-gate[i])) * up[i];
  }
}

template <class T>
void backward_row(T* gate, T* up, T* grad_h, int64_t width) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    const T g = gate[i];
    const T sigmoid = T{1} / (T{1} + vector_exp(-g));
    const T silu = g * sigmoid;
    const T grad = grad_h[i];
    const T u = up[i];
    grad_h[i] = silu * u;
    up[i] = grad * silu;
    gate[i] = grad * u * (sigmoid + silu * (T{1} - sigmoid));
  }
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) {
  check_shape(gate_up, {-1, -1}, "swiglu: gate_up");
  TORCH_INTERNAL_ASSERT(gate_up.is_contiguous());
  const int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  at::Tensor h = at::empty({rows, width}, gate_up.options());
  AT_DISPATCH_FLOATING_TYPES(gate_up.scalar_type(), "swiglu", [&] {
    const scalar_t* in = gate_up.const_data_ptr<scalar_t>();
    scalar_t* out = h.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      const scalar_t* gate = in + row * 2 * width;
      swiglu_row(out + row * width, gate, gate + width, width);
    });
  });
  return h;
}

void swiglu_backward_(const at::Tensor& gate_up, const at::Tensor& grad_h) {
  const int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  check_shape(grad_h, {rows, width}, "swiglu: grad_h");
  TORCH_INTERNAL_ASSERT(gate_up.is_contiguous() && grad_h.is_contiguous());
  AT_DISPATCH_FLOATING_TYPES(gate_up.scalar_type(), "swiglu_backward", [&] {
    scalar_t* pair = gate_up.mutable_data_ptr<scalar_t>();
    scalar_t* grad = grad_h.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      scalar_t* gate = pair + row * 2 * width;
      backward_row(gate, gate + width, grad + row * width, width);
    });
  });
}

at::Tensor swiglu_ref(const at::Tensor& gate_up) {
  const auto halves = gate_up.chunk(2, -1);
  return at::silu(halves[0]) * halves[1];
}

}  // namespace plumb
