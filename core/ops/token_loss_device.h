// A head's chunk of logits by kernels (core/ops/token_loss_kernel.h): logits before the cap.
#pragma once
#include "core/ops/token_loss.h"

namespace plumb {

struct DeviceHeadChunk {
  at::Tensor logits;   // (M, V), rows a stride apart
  at::Tensor targets;  // (M) int64
  double temperature = 1.0;
  double softcap = 0.0;
};

TokenStats device_head_stats(const KernelTable& kernels, const DeviceHeadChunk& chunk);
// The logits become the gradient, by the loss's own kernel or from derivatives that are known.
// `begin`: the head's row that the chunk's first is.
TokenStats device_head_loss(const KernelTable& kernels, const DeviceHeadChunk& chunk,
                            const TokenLossKernel& kernel, int64_t begin);
void device_head_gradient(const KernelTable& kernels, const DeviceHeadChunk& chunk,
                          const TokenLossChunk& loss);

}  // namespace plumb
