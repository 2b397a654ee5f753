// What stands between an MLP's products: h = act(gate) * up (SwiGLU, GeGLU and the like; Shazeer
// 2020, section 2) or, not gated, h = act(up). act is the config's Activation, as in transformers'
// ACT2FN.
// Gated: gate_up (N, 2 F) dense, gate and up side by side, gate first. Not gated: gate_up (N, F) is
// up.   h: (N, F)
#pragma once
#include <ATen/ATen.h>

#include "core/io/model_config.h"

namespace plumb {

struct ActivationRule {
  Activation activation = Activation::silu;
  bool is_gated = true;
};

at::Tensor activate(const at::Tensor& gate_up, const ActivationRule& rule);

// In place: gate_up becomes its gradient, grad_h becomes h (the next thing a backward needs), so
// nothing but gate_up has to be saved.
void activate_backward_(const at::Tensor& gate_up, const at::Tensor& grad_h,
                        const ActivationRule& rule);

at::Tensor activate_ref(const at::Tensor& gate_up, const ActivationRule& rule);

}  // namespace plumb
