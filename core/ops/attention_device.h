// Attention over packed sequences by kernels (core/ops/varlen_attention_kernel.h). Inputs are
// checked by the callers in attention.cpp; there is no relative bias.
#pragma once
#include "core/ops/attention.h"
#include "core/ops/backend.h"

namespace plumb {

AttentionOutput device_attention(const KernelTable& kernels, const AttentionInputs& in);
void device_attention_backward(const KernelTable& kernels, const AttentionInputs& in,
                               const AttentionOutput& saved, const at::Tensor& grad_out,
                               const AttentionGrads& grad);

}  // namespace plumb
