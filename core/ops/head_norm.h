// RMSNorm over each head of q and k, one weight for all heads (Qwen 3, Gemma 3):
// y = x / sqrt(mean(x^2) + eps) * w over D. x: (N, heads, D) with dense heads, w: (D), f32 or f64.
// Heads are short, so backward forms 1 / rms again instead of saving it.
#pragma once
#include <ATen/ATen.h>

namespace plumb {

// Writes into y, of x's shape and strides of its own.
void head_norm(const at::Tensor& x, const at::Tensor& w, double eps, const at::Tensor& y);

// In place: grad becomes the gradient of x. With is_weight_wanted the gradient of w (D) is
// returned, summed over fixed blocks of rows, else nothing.
struct HeadNormGradient {
  at::Tensor x;
  at::Tensor w;
  double eps;
  bool is_weight_wanted;
};
at::Tensor head_norm_backward_(const at::Tensor& grad, const HeadNormGradient& norm);

}  // namespace plumb
