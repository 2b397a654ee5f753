// Attention as ATen ops, a sequence at a time with its scores in memory: the reference, and the
// route of types and devices without a kernel.
#pragma once
#include "core/ops/attention.h"

namespace plumb {

AttentionOutput composed_attention(const AttentionInputs& in);
void composed_attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                                 const at::Tensor& grad_out, const AttentionGrads& grad);

}  // namespace plumb
