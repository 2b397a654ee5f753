#include "core/ops/activation_device.h"

namespace plumb {
namespace {

KernelActivation kernel_activation(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return KernelActivation::silu;
    case Activation::gelu:
      return KernelActivation::gelu;
    case Activation::gelu_tanh:
      return KernelActivation::gelu_tanh;
    case Activation::relu:
      return KernelActivation::relu;
  }
  TORCH_CHECK(false, "activation: no kernel for activation ", static_cast<int>(activation));
}

}  // namespace

void device_activate(const KernelTable& kernels, const at::Tensor& gate_up,
                     const ActivationRule& rule, const at::Tensor& h) {
  kernels.activation_forward({.h = h.mutable_data_ptr(),
                              .gate_up = gate_up.const_data_ptr(),
                              .rows = h.size(0),
                              .width = h.size(1),
                              .activation = kernel_activation(rule.activation),
                              .is_gated = rule.is_gated,
                              .dtype = kernel_dtype(gate_up)},
                             stream_of(gate_up));
}

void device_activate_backward_(const KernelTable& kernels, const at::Tensor& gate_up,
                               const at::Tensor& grad_h, const ActivationRule& rule) {
  kernels.activation_backward({.gate_up = gate_up.mutable_data_ptr(),
                               .grad_h = grad_h.mutable_data_ptr(),
                               .rows = grad_h.size(0),
                               .width = grad_h.size(1),
                               .activation = kernel_activation(rule.activation),
                               .is_gated = rule.is_gated,
                               .dtype = kernel_dtype(gate_up)},
                              stream_of(gate_up));
}

}  // namespace plumb
