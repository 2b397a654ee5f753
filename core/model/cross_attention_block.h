// x + o(attention(q(norm(x)), k, v)), k and v of an encoder's output (Vaswani et al. 2017, 3.2.3):
// no mask, no positions. One autograd function, as attention_block.
#pragma once
#include <ATen/ATen.h>

#include "core/model/block_ends.h"

namespace plumb {

// A cross-attention's weights, q apart from k and v: views of the layer's.
struct CrossWeights {
  NormWeights norm;
  ProductWeights query;       // (H D, C)
  ProductWeights key_values;  // (2 K D, C): k, v
  ProductWeights o;           // (C, H D)
};
CrossWeights cross_weights(const LayerWeights& layer, const ModelConfig& config);

// x: (N, C) dense, key_values: (M, 2 K D) of the sequences pass->source_cu_seqlens -> (N, C).
// Differentiable once in x, key_values, the weights and the updates' tensors.
at::Tensor cross_attention_block(const at::Tensor& x, const at::Tensor& key_values,
                                 const CrossWeights& weights, const SharedPass& pass,
                                 const BlockUpdates& updates);

at::Tensor cross_attention_block_ref(const at::Tensor& x, const at::Tensor& key_values,
                                     const CrossWeights& weights, const SharedPass& pass,
                                     const BlockUpdates& updates);

}  // namespace plumb
