// LayerNorm on the GPU (core/ops/layer_norm.h): y = (x - mean) / sqrt(var + eps) * w + b over rows
// of C, var over C values. Sums in f32, in an order that depends on C alone; in bf16 y is rounded
// once, as in ATen. All arrays are dense and of `dtype` unless said otherwise; C up to 16384, half
// of it with grad_w or where rows are not whole 16-byte packs. No rows: nothing is launched.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"
#include "core/ops/cuda/row_plan.h"

namespace plumb {

struct LayerNormForward {
  void* y = nullptr;               // (N, C)
  float* mean = nullptr;           // (N), for the backward
  float* rstd = nullptr;           // (N)
  void* sum = nullptr;             // (N, C) or null: x + residual, rounded; may be either of them
  const void* x = nullptr;         // (N, C)
  const void* residual = nullptr;  // (N, C) or null: added to x before the norm
  const void* w = nullptr;         // (C)
  const void* b = nullptr;         // (C)
  int64_t rows = 0, width = 0;
  float eps = 0.0f;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_layer_norm_forward(const LayerNormForward& norm, KernelStream stream);

struct LayerNormBackward {
  void* grad_x = nullptr;               // (N, C); may be grad_y or grad_residual
  const void* grad_y = nullptr;         // (N, C)
  const void* grad_residual = nullptr;  // (N, C) or null: added to grad_x
  const void* x = nullptr;              // (N, C): what was normed
  const void* w = nullptr;              // (C)
  const float* mean = nullptr;          // (N)
  const float* rstd = nullptr;          // (N)
  void* grad_w = nullptr;               // (C) or null: not wanted, and the backward is row-local
  void* grad_b = nullptr;               // (C), with grad_w
  float* partial = nullptr;             // (2, norm_partials(N), C) scratch, with grad_w
  int64_t rows = 0, width = 0;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_layer_norm_backward(const LayerNormBackward& norm, KernelStream stream);

}  // namespace plumb
