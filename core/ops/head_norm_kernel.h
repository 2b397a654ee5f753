// RMSNorm over each head of q and k on the GPU (core/ops/head_norm.h: Qwen 3, Gemma 3):
// y = x / sqrt(mean(x^2) + eps) * w over D, one weight for all heads. Heads of a token are dense,
// tokens a stride apart. D up to 512. Backward forms 1 / rms again.
#pragma once
#include <cstdint>

#include "core/ops/rms_norm_kernel.h"

namespace plumb {

struct HeadNormForward {
  void* y = nullptr;        // (N, heads, D); may be x
  const void* x = nullptr;  // (N, heads, D)
  const void* w = nullptr;  // (D)
  int64_t rows = 0, heads = 0, head_dim = 0;
  int64_t y_stride = 0, x_stride = 0;  // values from a token to the next
  float eps = 0.0f;
  KernelDtype dtype = KernelDtype::f32;
  NormRounding rounding = NormRounding::before_weight;
};
void launch_head_norm_forward(const HeadNormForward& norm, KernelStream stream);

struct HeadNormBackward {
  void* grad = nullptr;      // (N, heads, D): of y, becomes that of x
  const void* x = nullptr;   // (N, heads, D): what was normed
  const void* w = nullptr;   // (D)
  void* grad_w = nullptr;    // (D) or null: not wanted
  float* partial = nullptr;  // (head_norm_partials(N), D) scratch, with grad_w
  int64_t rows = 0, heads = 0, head_dim = 0;
  int64_t grad_stride = 0, x_stride = 0;
  float eps = 0.0f;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_head_norm_backward(const HeadNormBackward& norm, KernelStream stream);

inline int64_t head_norm_partials(int64_t rows) {
  constexpr int64_t kMost = 1024;
  return rows < kMost ? rows : kMost;
}

}  // namespace plumb
