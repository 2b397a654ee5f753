// What stands between an MLP's products, on the GPU (core/ops/activation.h): h = act(gate) * up, or
// h = act(up) where nothing gates. Arithmetic in f32; in bf16, act(gate) is rounded before it is
// multiplied, as in transformers.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

enum class KernelActivation : int32_t { silu, gelu, gelu_tanh, relu };

struct ActivationForward {
  void* h = nullptr;              // (N, F)
  const void* gate_up = nullptr;  // (N, 2 F), gate first; not gated: (N, F)
  int64_t rows = 0, width = 0;    // N, F
  KernelActivation activation = KernelActivation::silu;
  bool is_gated = true;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_activation_forward(const ActivationForward& op, KernelStream stream);

// In place: gate_up becomes its gradient, grad_h becomes h, which the backward of the product that
// follows needs.
struct ActivationBackward {
  void* gate_up = nullptr;
  void* grad_h = nullptr;  // (N, F)
  int64_t rows = 0, width = 0;
  KernelActivation activation = KernelActivation::silu;
  bool is_gated = true;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_activation_backward(const ActivationBackward& op, KernelStream stream);

}  // namespace plumb
