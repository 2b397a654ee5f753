// x + down(silu(gate(n)) * up(n)), n = rms_norm(x), as one autograd function, forward and backward
// written out (DESIGN.md 2). Saved between them: x, 1/rms, gate|up and each adapter's x A^T;
// backward writes the gradients of gate|up over them and forms the product again on the way.
#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "core/model/forward_pass.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {

struct LayerWeights;

struct MlpUpdates {
  std::vector<LowRankUpdate> gate_up;
  std::vector<LowRankUpdate> down;
};

// x: (N, C) dense -> (N, C). Differentiable once, as attention_block.
at::Tensor mlp_block(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                     const MlpUpdates& updates);

at::Tensor mlp_block_ref(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                         const MlpUpdates& updates);

}  // namespace plumb
