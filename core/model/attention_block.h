// x + o(attention(rope(qkv(rms_norm(x))))) as one autograd function, forward and backward written
// out (DESIGN.md 2). Saved between them: x, 1/rms, q|k|v after rope, the attention's output and
// log-sum-exp, and each adapter's x A^T. The normed x is formed again in backward when a weight or
// an A wants its gradient. Frozen weights get none.
#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "core/model/forward_pass.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {

struct LayerWeights;

struct AttentionUpdates {
  std::vector<LowRankUpdate> qkv;
  std::vector<LowRankUpdate> o;
};

// x: (N, C) dense -> (N, C). Differentiable once in x, the weights and the updates' tensors;
// without a gradient to form (NoGradGuard, or nothing requires one) nothing is saved.
at::Tensor attention_block(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                           const AttentionUpdates& updates);

at::Tensor attention_block_ref(const at::Tensor& x, const LayerWeights& weights,
                               const SharedPass& pass, const AttentionUpdates& updates);

}  // namespace plumb
