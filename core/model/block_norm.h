// The norms of blocks and of the decoder's end: RMSNorm or LayerNorm behind one set of parts.
#pragma once
#include <ATen/ATen.h>

#include "core/model/decoder.h"

namespace plumb {

struct NormRule {
  Norm norm = Norm::rms;
  double eps = 0.0;
};

// What backward needs of the rows of x (N, C).
struct NormStats {
  at::Tensor mean;  // (N); undefined in RMSNorm
  at::Tensor rstd;  // (N)
};

// The weights that the parts below multiply by: 1 + w where that is the rule (Gemma), so that only
// this line knows; autograd carries it.
NormWeights norm_factors(const NormWeights& weights, Norm norm);
// The same of a whole layer.
LayerWeights with_norm_factors(LayerWeights layer, Norm norm);

NormStats norm_stats(const at::Tensor& x, const NormRule& rule);
at::Tensor norm_apply(const at::Tensor& x, const NormWeights& factors, const NormStats& stats);
// residual + d/dx; an undefined residual counts as zero.
at::Tensor norm_grad_x(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& weight,
                       const NormStats& stats, const at::Tensor& residual);
at::Tensor norm_grad_w(const at::Tensor& grad_y, const at::Tensor& x, const NormStats& stats);

// (N, C) -> (N, C), differentiable once; `factors` from norm_factors.
at::Tensor norm(const at::Tensor& x, const NormWeights& factors, const NormRule& rule);
at::Tensor norm_ref(const at::Tensor& x, const NormWeights& factors, const NormRule& rule);

}  // namespace plumb
