// LoRA's updates by kernels (core/ops/low_rank_kernel.h): all that low_rank_linear.h adds to the
// base product and its gradient.
#pragma once
#include "core/ops/backend.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {

// y: (N, O'), gains the updates. `saved` is filled.
void device_low_rank_forward(const KernelTable& kernels, const std::vector<LowRankUpdate>& updates,
                             const at::Tensor& x, const at::Tensor& y,
                             std::vector<at::Tensor>& saved);
// result.grad_x, where defined, is grad_y W and gains the updates' share; the rest is filled.
void device_low_rank_backward(const KernelTable& kernels, const std::vector<LowRankUpdate>& updates,
                              const std::vector<at::Tensor>& saved, const at::Tensor& grad_y,
                              LowRankBackward& result);
std::vector<at::Tensor> device_low_rank_grad_a(const KernelTable& kernels,
                                               const std::vector<LowRankUpdate>& updates,
                                               const at::Tensor& x,
                                               const std::vector<at::Tensor>& grad_narrow);

}  // namespace plumb
