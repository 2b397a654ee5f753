// Attention of f32 tensors on the CPU, forward and backward by tiles. Dao 2023 (FlashAttention-2):
// blocks of queries over tiles of keys with an online softmax; backward forms the weights again
// from the saved log-sum-exp. Inputs are checked by the callers in attention.cpp.
#pragma once
#include "core/ops/attention.h"

namespace plumb {

void cpu_attention(const AttentionInputs& in, const AttentionOutput& result);
void cpu_attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                            const at::Tensor& grad_out, const AttentionGrads& grad);

}  // namespace plumb
