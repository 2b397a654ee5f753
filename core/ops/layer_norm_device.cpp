#include "core/ops/layer_norm_device.h"

#include "core/ops/check.h"

namespace plumb {

LayerNormed device_layer_norm(const KernelTable& kernels, const at::Tensor& x,
                              const LayerNormFactors& factors, double eps) {
  check_shape(x, {-1, -1}, "layer_norm: x");
  check_shape(factors.w, {x.size(1)}, "layer_norm: w");
  check_shape(factors.b, {x.size(1)}, "layer_norm: b");
  check_same_type(factors.w, x, "layer_norm: w");
  check_same_type(factors.b, x, "layer_norm: b");
  TORCH_INTERNAL_ASSERT(x.is_contiguous());
  const int64_t rows = x.size(0);
  const auto f32 = x.options().dtype(at::kFloat);
  LayerNormed normed{at::empty_like(x), {at::empty({rows}, f32), at::empty({rows}, f32)}};
  kernels.layer_norm_forward({.y = normed.y.mutable_data_ptr(),
                              .mean = normed.stats.mean.mutable_data_ptr<float>(),
                              .rstd = normed.stats.rstd.mutable_data_ptr<float>(),
                              .x = x.const_data_ptr(),
                              .w = factors.w.const_data_ptr(),
                              .b = factors.b.const_data_ptr(),
                              .rows = rows,
                              .width = x.size(1),
                              .eps = static_cast<float>(eps),
                              .dtype = kernel_dtype(x)},
                             stream_of(x));
  return normed;
}

LayerNormGrads device_layer_norm_backward(const KernelTable& kernels, const at::Tensor& grad_y,
                                          const LayerNormGradient& norm) {
  const at::Tensor& x = norm.x;
  check_shape(grad_y, x.sizes(), "layer_norm: grad_y");
  const int64_t rows = x.size(0), width = x.size(1);
  const bool forms_factors = norm.is_weight_wanted || norm.is_bias_wanted;
  LayerNormGrads grads{at::empty_like(x), {}, {}};
  at::Tensor partial;
  if (forms_factors) {
    grads.w = at::zeros({width}, norm.w.options());  // no rows: nothing is launched
    grads.b = at::zeros({width}, norm.w.options());
    partial = at::empty({2, norm_partials(rows), width}, norm.stats.rstd.options());
  }
  const at::Tensor residual = norm.residual.defined() ? norm.residual.contiguous() : at::Tensor();
  kernels.layer_norm_backward(
      {.grad_x = grads.x.mutable_data_ptr(),
       .grad_y = grad_y.const_data_ptr(),
       .grad_residual = residual.defined() ? residual.const_data_ptr() : nullptr,
       .x = x.const_data_ptr(),
       .w = norm.w.const_data_ptr(),
       .mean = norm.stats.mean.const_data_ptr<float>(),
       .rstd = norm.stats.rstd.const_data_ptr<float>(),
       .grad_w = forms_factors ? grads.w.mutable_data_ptr() : nullptr,
       .grad_b = forms_factors ? grads.b.mutable_data_ptr() : nullptr,
       .partial = forms_factors ? partial.mutable_data_ptr<float>() : nullptr,
       .rows = rows,
       .width = width,
       .dtype = kernel_dtype(x)},
      stream_of(x));
  return grads;
}

}  // namespace plumb
