// RMSNorm on the GPU (core/ops/rms_norm.h): y = x / sqrt(mean(x^2) + eps) * w over rows of C.
// Sums in f32, in an order that depends on C alone. All arrays are dense and of `dtype` unless said
// otherwise; C up to 16384, half of it with grad_w or where rows are not whole 16-byte
// packs (core/ops/cuda/row_plan.h). No rows: nothing is launched.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"
#include "core/ops/cuda/row_plan.h"

namespace plumb {

// Where a bf16 model rounds (transformers): LlamaRMSNorm casts before the weight is applied,
// GemmaRMSNorm after. No difference in f32.
enum class NormRounding : int32_t { before_weight, after_weight };

struct RmsNormForward {
  void* y = nullptr;               // (N, C)
  float* rstd = nullptr;           // (N), for the backward
  void* sum = nullptr;             // (N, C) or null: x + residual, rounded; may be either of them
  const void* x = nullptr;         // (N, C)
  const void* residual = nullptr;  // (N, C) or null: added to x before the norm
  const void* w = nullptr;         // (C)
  int64_t rows = 0, width = 0;
  float eps = 0.0f;
  KernelDtype dtype = KernelDtype::f32;
  NormRounding rounding = NormRounding::before_weight;
};
void launch_rms_norm_forward(const RmsNormForward& norm, KernelStream stream);

struct RmsNormBackward {
  void* grad_x = nullptr;               // (N, C); may be grad_y or grad_residual
  const void* grad_y = nullptr;         // (N, C)
  const void* grad_residual = nullptr;  // (N, C) or null: added to grad_x
  const void* x = nullptr;              // (N, C): what was normed
  const void* w = nullptr;              // (C)
  const float* rstd = nullptr;          // (N)
  void* grad_w = nullptr;               // (C) or null: not wanted, and the backward is row-local
  float* partial = nullptr;             // (norm_partials(N), C) scratch, with grad_w
  int64_t rows = 0, width = 0;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_rms_norm_backward(const RmsNormBackward& norm, KernelStream stream);

}  // namespace plumb
