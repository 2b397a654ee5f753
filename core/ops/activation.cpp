#include "core/ops/activation.h"

#include <ATen/Dispatch.h>

#include "core/ops/activation_device.h"
#include "core/ops/activation_rows.h"
#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/parallel.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

template <class Act, class T>
void gated_backward_row(T* gate, T* up, T* grad_h, int64_t width) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    const Activated<T> act = Act::with_slope(gate[i]);
    const T grad = grad_h[i];
    const T u = up[i];
    grad_h[i] = act.value * u;
    up[i] = grad * act.value;
    gate[i] = grad * u * act.slope;
  }
}

template <class Act, class T>
void plain_backward_row(T* up, T* grad_h, int64_t width) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    const Activated<T> act = Act::with_slope(up[i]);
    up[i] = grad_h[i] * act.slope;
    grad_h[i] = act.value;
  }
}

int64_t inner_width(const at::Tensor& gate_up, const ActivationRule& rule) {
  check_shape(gate_up, {-1, -1}, "activation: gate_up");
  TORCH_INTERNAL_ASSERT(gate_up.is_contiguous());
  return rule.is_gated ? gate_up.size(1) / 2 : gate_up.size(1);
}

}  // namespace

at::Tensor activate(const at::Tensor& gate_up, const ActivationRule& rule) {
  const profile::Span span("activation");
  const int64_t width = inner_width(gate_up, rule), rows = gate_up.size(0);
  at::Tensor h = at::empty({rows, width}, gate_up.options());
  if (const KernelTable* const kernels = kernels_for(gate_up)) {
    device_activate(*kernels, gate_up, rule, h);
    return h;
  }
  AT_DISPATCH_FLOATING_TYPES(gate_up.scalar_type(), "activate", [&] {
    const scalar_t* in = gate_up.const_data_ptr<scalar_t>();
    scalar_t* out = h.mutable_data_ptr<scalar_t>();
    with_activation(rule.activation, [&]<class Act>(Act) {
      for_rows(rows, width, [&](int64_t row) {
        if (rule.is_gated) {
          const scalar_t* gate = in + row * 2 * width;
          gated_row<Act>(out + row * width, gate, gate + width, width);
        } else {
          plain_row<Act>(out + row * width, in + row * width, width);
        }
      });
    });
  });
  return h;
}

void activate_backward_(const at::Tensor& gate_up, const at::Tensor& grad_h,
                        const ActivationRule& rule) {
  const profile::Span span("activation", "backward");
  const int64_t width = inner_width(gate_up, rule), rows = gate_up.size(0);
  check_shape(grad_h, {rows, width}, "activation: grad_h");
  TORCH_INTERNAL_ASSERT(grad_h.is_contiguous());
  if (const KernelTable* const kernels = kernels_for(gate_up)) {
    return device_activate_backward_(*kernels, gate_up, grad_h, rule);
  }
  AT_DISPATCH_FLOATING_TYPES(gate_up.scalar_type(), "activate_backward", [&] {
    scalar_t* saved = gate_up.mutable_data_ptr<scalar_t>();
    scalar_t* grad = grad_h.mutable_data_ptr<scalar_t>();
    with_activation(rule.activation, [&]<class Act>(Act) {
      for_rows(rows, width, [&](int64_t row) {
        if (rule.is_gated) {
          scalar_t* gate = saved + row * 2 * width;
          gated_backward_row<Act>(gate, gate + width, grad + row * width, width);
        } else {
          plain_backward_row<Act>(saved + row * width, grad + row * width, width);
        }
      });
    });
  });
}

at::Tensor activate_ref(const at::Tensor& gate_up, const ActivationRule& rule) {
  const auto apply = [&](const at::Tensor& z) {
    switch (rule.activation) {
      case Activation::gelu:
        return at::gelu(z);
      case Activation::gelu_tanh:
        return at::gelu(z, "tanh");
      case Activation::relu:
        return at::relu(z);
      default:
        return at::silu(z);
    }
  };
  if (!rule.is_gated) {
    return apply(gate_up);
  }
  const auto halves = gate_up.chunk(2, -1);
  return apply(halves[0]) * halves[1];
}

}  // namespace plumb
