// y = x / sqrt(mean(x^2) + eps) * w over the last dimension (Zhang & Sennrich 2019, eq. 4).
// Matches transformers LlamaRMSNorm in f32. x: (N, C) dense, w: (C), f32 or f64.
#pragma once
#include <ATen/ATen.h>

namespace plumb {

// (N, C) -> (N, C), differentiable once in x and w; w's gradient is formed only if it is wanted.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, double eps);

// For blocks that write their own backward: one kernel each where x's device has kernels.
struct RmsNormed {
  at::Tensor y;     // (N, C)
  at::Tensor rstd;  // (N): 1 / sqrt(mean(x^2) + eps)
};
RmsNormed rms_norm_forward(const at::Tensor& x, const at::Tensor& w, double eps);
// y again, from what a backward has kept.
at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& w, const at::Tensor& rstd,
                          double eps);
struct RmsNormGradient {
  at::Tensor x, w, rstd;
  at::Tensor residual;  // added to x's gradient; undefined counts as zero
  bool is_weight_wanted = false;
};
struct RmsNormGrads {
  at::Tensor x;  // (N, C)
  at::Tensor w;  // (C), or undefined
};
RmsNormGrads rms_norm_backward(const at::Tensor& grad_y, const RmsNormGradient& norm);

// The CPU's parts.
at::Tensor rms_norm_rstd(const at::Tensor& x, double eps);  // (N): 1 / sqrt(mean(x^2) + eps)
at::Tensor rms_norm_apply(const at::Tensor& x, const at::Tensor& w, const at::Tensor& rstd);

// residual + d/dx, in a new tensor; an undefined residual counts as zero.
at::Tensor rms_norm_grad_x(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& w,
                           const at::Tensor& rstd, const at::Tensor& residual);
// (C). Sums over fixed blocks of rows: the same bits for any number of threads.
at::Tensor rms_norm_grad_w(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& rstd);

at::Tensor rms_norm_ref(const at::Tensor& x, const at::Tensor& w, double eps);

}  // namespace plumb
