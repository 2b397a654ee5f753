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

struct Normed {
  at::Tensor y;
  NormStats stats;
};
Normed norm_forward(const at::Tensor& x, const NormWeights& factors, const NormRule& rule);
// y again, from what a backward has kept.
at::Tensor norm_again(const at::Tensor& x, const NormWeights& factors, const NormStats& stats,
                      const NormRule& rule);
struct NormGradient {
  at::Tensor x, weight;
  NormStats stats;
  at::Tensor residual;  // added to x's gradient; undefined counts as zero
  bool is_weight_wanted = false, is_bias_wanted = false;
};
struct NormGrads {
  at::Tensor x, weight, bias;  // the last two where wanted
};
NormGrads norm_backward(const at::Tensor& grad_y, const NormGradient& norm);

// (N, C) -> (N, C), differentiable once; `factors` from norm_factors.
at::Tensor norm(const at::Tensor& x, const NormWeights& factors, const NormRule& rule);
at::Tensor norm_ref(const at::Tensor& x, const NormWeights& factors, const NormRule& rule);

}  // namespace plumb
