// LayerNorm by kernels (core/ops/layer_norm_kernel.h).
#pragma once
#include "core/ops/backend.h"
#include "core/ops/layer_norm.h"

namespace plumb {

struct LayerNormFactors {
  const at::Tensor& w;  // (C)
  const at::Tensor& b;  // (C)
};
LayerNormed device_layer_norm(const KernelTable& kernels, const at::Tensor& x,
                              const LayerNormFactors& factors, double eps);
LayerNormGrads device_layer_norm_backward(const KernelTable& kernels, const at::Tensor& grad_y,
                                          const LayerNormGradient& norm);

}  // namespace plumb
