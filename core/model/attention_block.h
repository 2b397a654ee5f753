// x + o(attention(rope(qkv(norm(x))))) as one autograd function, forward and backward written out
// (DESIGN.md 2); q and k may be normed a head before rope (Qwen 3). Saved between them: x, the
// norm's statistics, q|k|v as attention reads them, the attention's output and log-sum-exp, and
// each adapter's x A^T. The normed x is formed again in backward when a weight or an A wants its
// gradient; with head norms q|k|v is kept as the product gave it, and q and k are formed again.
// Frozen weights get no gradient.
#pragma once
#include <ATen/ATen.h>

#include "core/model/block_ends.h"

namespace plumb {

// x: (N, C) dense -> (N, C). Differentiable once in x, the weights and the updates' tensors;
// without a gradient to form (NoGradGuard, or nothing requires one) nothing is saved.
// `weights` with norm factors; options: pass->attention_of(layer).
at::Tensor attention_block(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                           const AttentionOptions& options, const BlockUpdates& updates);

at::Tensor attention_block_ref(const at::Tensor& x, const LayerWeights& weights,
                               const SharedPass& pass, const AttentionOptions& options,
                               const BlockUpdates& updates);

}  // namespace plumb
