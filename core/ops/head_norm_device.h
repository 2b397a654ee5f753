// RMSNorm over heads by kernels (core/ops/head_norm_kernel.h).
#pragma once
#include "core/ops/backend.h"
#include "core/ops/head_norm.h"

namespace plumb {

void device_head_norm(const KernelTable& kernels, const at::Tensor& x, const at::Tensor& w,
                      double eps, const at::Tensor& y);
at::Tensor device_head_norm_backward_(const KernelTable& kernels, const at::Tensor& grad,
                                      const HeadNormGradient& norm);

}  // namespace plumb
