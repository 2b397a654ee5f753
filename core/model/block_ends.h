// How a block begins and ends, whatever stands between: a norm and a first product going in; a
// second product, perhaps a norm, and the residual coming out. Forward and backward written out,
// for blocks that are one autograd function each (attention_block.h, mlp_block.h).
#pragma once
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "core/model/forward_pass.h"
#include "core/ops/low_rank_linear.h"
#include "core/ops/once.h"
#include "core/profile/span.h"

namespace plumb {

using torch::autograd::variable_list;

// The low-rank updates of a block's two products.
struct BlockUpdates {
  std::vector<LowRankUpdate> first;   // qkv, or gate and up
  std::vector<LowRankUpdate> second;  // o, or down
};

// Order of a block's inputs and of their gradients; what a model lacks is undefined. The updates'
// (a, b) follow, the first product's first.
enum BlockInput {
  kX,  // (N, C), normed for the first product; also the residual where kResidual is undefined
  kResidual,  // (N, C)
  kNorm,
  kNormBias,
  kFirst,
  kFirstBias,
  kSecond,
  kSecondBias,
  kPostNorm,
  kPostNormBias,
  kQNorm,  // attention's own
  kKNorm,
  kRelativeBias,
  kKeyValues,  // cross-attention's
  kNumBlockInputs
};

struct BlockWeights {
  const NormWeights& norm;
  const ProductWeights& first;
  const ProductWeights& second;
  const NormWeights& post_norm;
};

// The list up to kPostNormBias and the updates; the rest is undefined.
variable_list block_inputs(const at::Tensor& x, const BlockWeights& weights,
                           const BlockUpdates& updates);

// What the two ends keep from forward to backward.
struct BlockEnds {
  SharedPass pass;
  BlockUpdates updates;
  NormStats norm;
  NormStats post_norm;
  at::Tensor before_post_norm;  // (N, C)
  std::vector<at::Tensor> first_narrow;
  std::vector<at::Tensor> second_narrow;
  std::vector<int> node_inputs;  // of each input, its place among those that are defined, or -1
  bool spent = false;
};

// first(norm(x)): (N, O) of the first product.
at::Tensor open_block(at::TensorList in, BlockEnds& ends);
// residual + post_norm(second(middle)): (N, C).   middle: (N, I) of the second product
at::Tensor close_block(at::TensorList in, const at::Tensor& middle, BlockEnds& ends);

// The way back, in the order of the functions.
struct BlockBackward {
  BlockBackward(torch::autograd::AutogradContext* ctx, BlockEnds& ends, const at::Tensor& grad_y);

  bool wants(int input) const;

  // Gradient of `middle`.
  at::Tensor into_second();
  // The second product's own gradients, once `middle` is there again.
  void finish_second(const at::Tensor& middle);
  // All that lies before the middle.   grad_wide: gradient of open_block's result
  void through_first(const at::Tensor& grad_wide);

  BlockEnds& ends;
  const variable_list in;  // in the order of BlockInput
  variable_list grads;     // of them

 private:
  at::Tensor* first_update_grads() { return grads.data() + kNumBlockInputs; }
  at::Tensor* second_update_grads() { return first_update_grads() + 2 * ends.updates.first.size(); }
  void first_norm_grads(const at::Tensor& grad_normed);

  torch::autograd::AutogradContext* ctx_;
  at::Tensor grad_y_;
  at::Tensor grad_second_;                 // of the second product's result
  std::vector<at::Tensor> second_narrow_;  // gradients of x A^T
};

// A node of autograd's graph takes defined tensors alone: the inputs without the others, the
// gradients of these, and all inputs again.
variable_list number_inputs(const variable_list& inputs, BlockEnds& ends);
variable_list packed(const variable_list& grads, const BlockEnds& ends);
variable_list unpacked(at::TensorList defined, const BlockEnds& ends);
bool any_requires_grad(const variable_list& inputs);

// `Block`, an intrusive_ptr's target, has the ends, a kName, and
//   at::Tensor forward(at::TensorList inputs);
//   void backward(BlockBackward& step);   fills step.grads
template <class Block>
struct BlockNode : torch::autograd::Function<BlockNode<Block>> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, at::TensorList defined,
                            const c10::intrusive_ptr<Block>& block) {
    const profile::Span span(Block::kName);
    ctx->save_for_backward(defined.vec());
    ctx->saved_data["block"] = c10::IValue::make_capsule(block);
    return block->forward(unpacked(defined, block->ends));
  }

  static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list grad_outputs) {
    const profile::Span span(Block::kName, "backward");
    auto& block = static_cast<Block&>(*ctx->saved_data["block"].toCapsule());
    refuse_second_backward(block.ends.spent, Block::kName);
    BlockBackward step(ctx, block.ends, grad_outputs[0]);
    block.backward(step);
    variable_list grads = packed(step.grads, block.ends);
    grads.emplace_back();  // of `block`
    return grads;
  }
};

// Without a gradient to form (NoGradGuard, or nothing requires one) nothing is kept.
template <class Block>
at::Tensor run_block(const c10::intrusive_ptr<Block>& block, const variable_list& inputs) {
  if (!at::GradMode::is_enabled() || !any_requires_grad(inputs)) {
    const profile::Span span(Block::kName);
    return block->forward(inputs);
  }
  const variable_list defined = number_inputs(inputs, block->ends);
  return BlockNode<Block>::apply(at::TensorList(defined), block);
}

at::Tensor open_block_ref(const at::Tensor& x, const BlockWeights& weights, const NormRule& rule,
                          const BlockUpdates& updates);
at::Tensor close_block_ref(const at::Tensor& residual, const at::Tensor& middle,
                           const BlockWeights& weights, const NormRule& rule,
                           const BlockUpdates& updates);

}  // namespace plumb
