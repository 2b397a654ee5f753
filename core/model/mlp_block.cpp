#include "core/model/mlp_block.h"

#include <utility>

#include "core/model/decoder.h"
#include "core/ops/activation.h"

namespace plumb {
namespace {

struct MlpBlock : torch::CustomClassHolder {
  static constexpr const char* kName = "MLP block";
  BlockEnds ends;
  at::Tensor gate_up;  // (N, 2 F), or (N, F) where the MLP is not gated

  at::Tensor forward(at::TensorList in) {
    gate_up = open_block(in, ends);
    return close_block(in, activate(gate_up, ends.pass->activation), ends);
  }

  void backward(BlockBackward& step) {
    at::Tensor grad_h = step.into_second();
    activate_backward_(gate_up, grad_h, ends.pass->activation);
    step.finish_second(/*middle=*/grad_h);
    grad_h.reset();
    const at::Tensor grad_gate_up = std::move(gate_up);
    step.through_first(grad_gate_up);
  }
};

BlockWeights weights_of(const LayerWeights& layer) {
  const bool has_own_norm = layer.mlp_norm.weight.defined();
  return {has_own_norm ? layer.mlp_norm : layer.attention_norm, layer.gate_up, layer.down,
          layer.after_mlp_norm};
}

}  // namespace

at::Tensor mlp_block(const at::Tensor& x, const at::Tensor& residual, const LayerWeights& weights,
                     const SharedPass& pass, const BlockUpdates& updates) {
  auto block = c10::make_intrusive<MlpBlock>();
  block->ends.pass = pass;
  block->ends.updates = updates;
  variable_list inputs = block_inputs(x, weights_of(weights), updates);
  if (!residual.is_same(x)) {
    inputs[kResidual] = residual;
  }
  return run_block(block, inputs);
}

at::Tensor mlp_block_ref(const at::Tensor& x, const at::Tensor& residual,
                         const LayerWeights& weights, const SharedPass& pass,
                         const BlockUpdates& updates) {
  const BlockWeights parts = weights_of(weights);
  const at::Tensor h =
      activate_ref(open_block_ref(x, parts, pass->norm, updates), pass->activation);
  return close_block_ref(residual, h, parts, pass->norm, updates);
}

}  // namespace plumb
