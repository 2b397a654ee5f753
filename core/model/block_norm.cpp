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

Normed norm_forward(const at::Tensor& x, const NormWeights& factors, const NormRule& rule) {
  const profile::Span span("norm");
  if (rule.norm != Norm::layer) {
    const RmsNormed normed = rms_norm_forward(x, factors.weight, rule.eps);
    return {normed.y, {{}, normed.rstd}};
  }
  const LayerNormed normed = layer_norm_forward(x, factors.weight, factors.bias, rule.eps);
  return {normed.y, {normed.stats.mean, normed.stats.rstd}};
}

at::Tensor norm_again(const at::Tensor& x, const NormWeights& factors, const NormStats& stats,
                      const NormRule& rule) {
  const profile::Span span("norm");
  return rule.norm == Norm::layer
             ? layer_norm_again(x, factors.weight, factors.bias, {stats.mean, stats.rstd}, rule.eps)
             : rms_norm_again(x, factors.weight, stats.rstd, rule.eps);
}

NormGrads norm_backward(const at::Tensor& grad_y, const NormGradient& norm) {
  const profile::Span span("norm", "backward");
  const NormStats& stats = norm.stats;
  if (!stats.mean.defined()) {
    const RmsNormGrads grads = rms_norm_backward(
        grad_y, {norm.x, norm.weight, stats.rstd, norm.residual, norm.is_weight_wanted});
    return {grads.x, grads.w, {}};
  }
  const LayerNormGrads grads = layer_norm_backward(grad_y, {norm.x,
                                                            norm.weight,
                                                            {stats.mean, stats.rstd},
                                                            norm.residual,
                                                            norm.is_weight_wanted,
                                                            norm.is_bias_wanted});
  return {grads.x, grads.w, grads.b};
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
