#include "core/model/cross_attention_block.h"

#include "core/model/decoder.h"
#include "core/ops/attention.h"

namespace plumb {
namespace {

AttentionInputs inputs_of(const at::Tensor& q, const at::Tensor& key_values,
                          const ForwardPass& pass) {
  const int64_t K = pass.kv_heads, D = pass.head_dim;
  const at::Tensor kv = key_values.unflatten(1, {2 * K, D});
  AttentionOptions options = pass.attention;
  options.is_causal = false;
  options.key_bias = at::Tensor();
  options.relative = {};
  return {q.unflatten(1, {pass.heads, D}),
          kv.narrow(1, 0, K),
          kv.narrow(1, K, K),
          pass.cu_seqlens,
          options,
          pass.source_cu_seqlens};
}

struct CrossAttentionBlock : torch::CustomClassHolder {
  static constexpr const char* kName = "cross-attention block";
  BlockEnds ends;
  at::Tensor q;  // (N, H D)
  AttentionOutput attended;

  at::Tensor forward(at::TensorList in) {
    q = open_block(in, ends);
    attended = attention(inputs_of(q, in[kKeyValues], *ends.pass));
    return close_block(in, attended.out.flatten(1), ends);
  }

  void backward(BlockBackward& step) {
    at::Tensor grad_out = step.into_second();
    step.finish_second(attended.out.flatten(1));
    const AttentionInputs in = inputs_of(q, step.in[kKeyValues], *ends.pass);
    const at::Tensor grad_q = at::empty_like(q);
    const at::Tensor grad_kv = at::empty_like(step.in[kKeyValues]);
    const AttentionInputs grads = inputs_of(grad_q, grad_kv, *ends.pass);
    attention_backward(in, attended, grad_out.view(attended.out.sizes()),
                       {grads.q, grads.k, grads.v});
    step.grads[kKeyValues] = grad_kv;
    grad_out.reset();
    q.reset();
    attended = {};
    step.through_first(grad_q);
  }
};

const NormWeights kNoNorm;

BlockWeights weights_of(const CrossWeights& weights) {
  return {weights.norm, weights.query, weights.o, kNoNorm};
}

// Rows [begin, begin + count) of a product.
ProductWeights rows_of(const ProductWeights& product, int64_t begin, int64_t count) {
  return {product.weight.narrow(0, begin, count),
          product.bias.defined() ? product.bias.narrow(0, begin, count) : at::Tensor()};
}

}  // namespace

CrossWeights cross_weights(const LayerWeights& layer, const ModelConfig& config) {
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  return {layer.attention_norm, rows_of(layer.qkv, 0, q), rows_of(layer.qkv, q, 2 * kv), layer.o};
}

at::Tensor cross_attention_block(const at::Tensor& x, const at::Tensor& key_values,
                                 const CrossWeights& weights, const SharedPass& pass,
                                 const BlockUpdates& updates) {
  auto block = c10::make_intrusive<CrossAttentionBlock>();
  block->ends.pass = pass;
  block->ends.updates = updates;
  variable_list inputs = block_inputs(x, weights_of(weights), updates);
  inputs[kKeyValues] = key_values;
  return run_block(block, inputs);
}

at::Tensor cross_attention_block_ref(const at::Tensor& x, const at::Tensor& key_values,
                                     const CrossWeights& weights, const SharedPass& pass,
                                     const BlockUpdates& updates) {
  const at::Tensor q = open_block_ref(x, weights_of(weights), pass->norm, updates);
  return close_block_ref(x, attention_ref(inputs_of(q, key_values, *pass)).flatten(1),
                         weights_of(weights), pass->norm, updates);
}

}  // namespace plumb
