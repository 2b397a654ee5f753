// residual + down(act(gate(n)) * up(n)), n = norm(x), or without gate down(act(up(n))), as one
// autograd function, forward and backward written out (DESIGN.md 2). Saved between them: x, the
// norm's statistics, gate|up and each adapter's x A^T; backward writes the gradients of gate|up
// over them and forms the product again on the way.
#pragma once
#include <ATen/ATen.h>

#include "core/model/block_ends.h"

namespace plumb {

// x, residual: (N, C) dense -> (N, C). They are one tensor in sequential blocks; where attention
// and MLP stand side by side the residual holds attention's output already. Differentiable once, as
// attention_block.
at::Tensor mlp_block(const at::Tensor& x, const at::Tensor& residual, const LayerWeights& weights,
                     const SharedPass& pass, const BlockUpdates& updates);

at::Tensor mlp_block_ref(const at::Tensor& x, const at::Tensor& residual,
                         const LayerWeights& weights, const SharedPass& pass,
                         const BlockUpdates& updates);

}  // namespace plumb
