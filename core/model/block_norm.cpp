#include "core/model/block_norm.h"

#include "core/ops/layer_norm.h"
#include "core/ops/rms_norm.h"
#include "core/profile/span.h"

namespace plumb {

NormWeights norm_factors(const NormWeights& weights, Norm norm) {
  if (norm != Norm::rms_one_plus || !weights.weight.defined()) {
    return weights;
  }
  return {weights.weight + 1.0, weights.bias};
}

LayerWeights with_norm_factors(LayerWeights layer, Norm norm) {
  for (NormWeights* weights :
       {&layer.attention_norm, &layer.q_norm, &layer.k_norm, &layer.after_attention_norm,
        &layer.mlp_norm, &layer.after_mlp_norm}) {
    *weights = norm_factors(*weights, norm);
  }
  return layer;
}

NormStats norm_stats(const at::Tensor& x, const NormRule& rule) {
  const profile::Span span("norm statistics");
  if (rule.norm != Norm::layer) {
    return {{}, rms_norm_rstd(x, rule.eps)};
  }
  const LayerNormStats stats = layer_norm_stats(x, rule.eps);
  return {stats.mean, stats.rstd};
}

at::Tensor norm_apply(const at::Tensor& x, const NormWeights& factors, const NormStats& stats) {
  const profile::Span span("norm");
  return stats.mean.defined()
             ? layer_norm_apply(x, factors.weight, factors.bias, {stats.mean, stats.rstd})
             : rms_norm_apply(x, factors.weight, stats.rstd);
}

at::Tensor norm_grad_x(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& weight,
                       const NormStats& stats, const at::Tensor& residual) {
  const profile::Span span("norm", "backward");
  return stats.mean.defined()
             ? layer_norm_grad_x(grad_y, x, weight, {stats.mean, stats.rstd}, residual)
             : rms_norm_grad_x(grad_y, x, weight, stats.rstd, residual);
}

at::Tensor norm_grad_w(const at::Tensor& grad_y, const at::Tensor& x, const NormStats& stats) {
  return stats.mean.defined() ? layer_norm_grad_w(grad_y, x, {stats.mean, stats.rstd})
                              : rms_norm_grad_w(grad_y, x, stats.rstd);
}

at::Tensor norm(const at::Tensor& x, const NormWeights& factors, const NormRule& rule) {
  return rule.norm == Norm::layer ? layer_norm(x, factors.weight, factors.bias, rule.eps)
                                  : rms_norm(x, factors.weight, rule.eps);
}

at::Tensor norm_ref(const at::Tensor& x, const NormWeights& factors, const NormRule& rule) {
  return rule.norm == Norm::layer ? layer_norm_ref(x, factors.weight, factors.bias, rule.eps)
                                  : rms_norm_ref(x, factors.weight, rule.eps);
}

}  // namespace plumb
