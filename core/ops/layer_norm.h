// y = (x - mean) / sqrt(var + eps) * w + b over the last dimension (Ba et al. 2016), var over C
// values, as torch.nn.LayerNorm. x: (N, C) dense; w, b: (C), f32 or f64.
#pragma once
#include <ATen/ATen.h>

namespace plumb {

// (N, C) -> (N, C), differentiable once in x, w and b; their gradients are formed only if wanted.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, double eps);

struct LayerNormStats {
  at::Tensor mean;  // (N)
  at::Tensor rstd;  // (N): 1 / sqrt(var + eps)
};

// For blocks that write their own backward: one kernel each where x's device has kernels.
struct LayerNormed {
  at::Tensor y;  // (N, C)
  LayerNormStats stats;
};
LayerNormed layer_norm_forward(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                               double eps);
// y again, from what a backward has kept.
at::Tensor layer_norm_again(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                            const LayerNormStats& stats, double eps);
struct LayerNormGradient {
  at::Tensor x, w;
  LayerNormStats stats;
  at::Tensor residual;  // added to x's gradient; undefined counts as zero
  bool is_weight_wanted = false, is_bias_wanted = false;
};
struct LayerNormGrads {
  at::Tensor x;  // (N, C)
  at::Tensor w;  // (C), or undefined
  at::Tensor b;  // (C), or undefined
};
LayerNormGrads layer_norm_backward(const at::Tensor& grad_y, const LayerNormGradient& norm);

// The CPU's parts.
LayerNormStats layer_norm_stats(const at::Tensor& x, double eps);
at::Tensor layer_norm_apply(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                            const LayerNormStats& stats);

// residual + d/dx, in a new tensor; an undefined residual counts as zero.
at::Tensor layer_norm_grad_x(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& w,
                             const LayerNormStats& stats, const at::Tensor& residual);
// (C). Sums over fixed blocks of rows: the same bits for any number of threads. b's gradient is
// grad_y.sum(0).
at::Tensor layer_norm_grad_w(const at::Tensor& grad_y, const at::Tensor& x,
                             const LayerNormStats& stats);

at::Tensor layer_norm_ref(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                          double eps);

}  // namespace plumb
