#include "core/ops/rms_norm_device.h"

#include "core/ops/check.h"

namespace plumb {

RmsNormed device_rms_norm(const KernelTable& kernels, const at::Tensor& x, const at::Tensor& w,
                          double eps) {
  check_shape(x, {-1, -1}, "rms_norm: x");
  check_shape(w, {x.size(1)}, "rms_norm: w");
  check_same_type(w, x, "rms_norm: w");
  TORCH_INTERNAL_ASSERT(x.is_contiguous() && w.is_contiguous());
  const int64_t rows = x.size(0);
  RmsNormed normed{at::empty_like(x), at::empty({rows}, x.options().dtype(at::kFloat))};
  kernels.rms_norm_forward({.y = normed.y.mutable_data_ptr(),
                            .rstd = normed.rstd.mutable_data_ptr<float>(),
                            .x = x.const_data_ptr(),
                            .w = w.const_data_ptr(),
                            .rows = rows,
                            .width = x.size(1),
                            .eps = static_cast<float>(eps),
                            .dtype = kernel_dtype(x)},
                           stream_of(x));
  return normed;
}

RmsNormGrads device_rms_norm_backward(const KernelTable& kernels, const at::Tensor& grad_y,
                                      const RmsNormGradient& norm) {
  const at::Tensor& x = norm.x;
  check_shape(grad_y, x.sizes(), "rms_norm: grad_y");
  const int64_t rows = x.size(0), width = x.size(1);
  RmsNormGrads grads{at::empty_like(x), {}};
  at::Tensor partial;
  if (norm.is_weight_wanted) {
    grads.w = at::zeros({width}, norm.w.options());  // no rows: nothing is launched
    partial = at::empty({norm_partials(rows), width}, norm.rstd.options());
  }
  const at::Tensor residual = norm.residual.defined() ? norm.residual.contiguous() : at::Tensor();
  kernels.rms_norm_backward(
      {.grad_x = grads.x.mutable_data_ptr(),
       .grad_y = grad_y.const_data_ptr(),
       .grad_residual = residual.defined() ? residual.const_data_ptr() : nullptr,
       .x = x.const_data_ptr(),
       .w = norm.w.const_data_ptr(),
       .rstd = norm.rstd.const_data_ptr<float>(),
       .grad_w = grads.w.defined() ? grads.w.mutable_data_ptr() : nullptr,
       .partial = partial.defined() ? partial.mutable_data_ptr<float>() : nullptr,
       .rows = rows,
       .width = width,
       .dtype = kernel_dtype(x)},
      stream_of(x));
  return grads;
}

}  // namespace plumb
