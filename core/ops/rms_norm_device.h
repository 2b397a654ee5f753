// RMSNorm by kernels (core/ops/rms_norm_kernel.h).
#pragma once
#include "core/ops/backend.h"
#include "core/ops/rms_norm.h"

namespace plumb {

RmsNormed device_rms_norm(const KernelTable& kernels, const at::Tensor& x, const at::Tensor& w,
                          double eps);
RmsNormGrads device_rms_norm_backward(const KernelTable& kernels, const at::Tensor& grad_y,
                                      const RmsNormGradient& norm);

}  // namespace plumb
