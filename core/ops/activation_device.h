// What stands between an MLP's products, by kernels (core/ops/activation_kernel.h).
#pragma once
#include "core/ops/activation.h"
#include "core/ops/backend.h"

namespace plumb {

void device_activate(const KernelTable& kernels, const at::Tensor& gate_up,
                     const ActivationRule& rule, const at::Tensor& h);
void device_activate_backward_(const KernelTable& kernels, const at::Tensor& gate_up,
                               const at::Tensor& grad_h, const ActivationRule& rule);

}  // namespace plumb
