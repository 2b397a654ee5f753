#include "core/ops/head_norm_device.h"

namespace plumb {
namespace {

// Kernels walk the heads of a token as one dense run.
void check_neighbours(const at::Tensor& heads) {
  TORCH_INTERNAL_ASSERT(heads.size(1) <= 1 || heads.stride(1) == heads.size(2));
}

}  // namespace

void device_head_norm(const KernelTable& kernels, const at::Tensor& x, const at::Tensor& w,
                      double eps, const at::Tensor& y) {
  check_neighbours(x);
  check_neighbours(y);
  kernels.head_norm_forward({.y = y.mutable_data_ptr(),
                             .x = x.const_data_ptr(),
                             .w = w.const_data_ptr(),
                             .rows = x.size(0),
                             .heads = x.size(1),
                             .head_dim = x.size(2),
                             .y_stride = y.stride(0),
                             .x_stride = x.stride(0),
                             .eps = static_cast<float>(eps),
                             .dtype = kernel_dtype(x)},
                            stream_of(x));
}

at::Tensor device_head_norm_backward_(const KernelTable& kernels, const at::Tensor& grad,
                                      const HeadNormGradient& norm) {
  const at::Tensor& x = norm.x;
  check_neighbours(x);
  check_neighbours(grad);
  const int64_t rows = x.size(0), width = x.size(2);
  at::Tensor grad_w, partial;
  if (norm.is_weight_wanted) {
    grad_w = at::zeros({width}, norm.w.options());  // no rows: nothing is launched
    partial = at::empty({head_norm_partials(rows), width}, x.options().dtype(at::kFloat));
  }
  kernels.head_norm_backward(
      {.grad = grad.mutable_data_ptr(),
       .x = x.const_data_ptr(),
       .w = norm.w.const_data_ptr(),
       .grad_w = norm.is_weight_wanted ? grad_w.mutable_data_ptr() : nullptr,
       .partial = norm.is_weight_wanted ? partial.mutable_data_ptr<float>() : nullptr,
       .rows = rows,
       .heads = x.size(1),
       .head_dim = width,
       .grad_stride = grad.stride(0),
       .x_stride = x.stride(0),
       .eps = static_cast<float>(norm.eps),
       .dtype = kernel_dtype(x)},
      stream_of(x));
  return grad_w;
}

}  // namespace plumb
