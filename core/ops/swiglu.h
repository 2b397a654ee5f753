// h = silu(gate) * up, silu(z) = z / (1 + exp(-z)) (Shazeer 2020, eq. 5).
// gate and up lie side by side: gate_up (N, 2 F) dense, gate first.   h: (N, F)
#pragma once
#include <ATen/ATen.h>

namespace plumb {

at::Tensor swiglu(const at::Tensor& gate_up);

// In place: gate_up becomes its gradient, grad_h becomes h (the next thing a backward needs), so
// nothing but gate_up has to be saved.
void swiglu_backward_(const at::Tensor& gate_up, const at::Tensor& grad_h);

at::Tensor swiglu_ref(const at::Tensor& gate_up);

}  // namespace plumb
