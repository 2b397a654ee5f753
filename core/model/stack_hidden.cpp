#include "core/model/stack_hidden.h"

#include <utility>

#include "core/io/position_limit.h"
#include "core/model/adapter_rows.h"
#include "core/model/attention_block.h"
#include "core/model/cross_attention_block.h"
#include "core/model/forward_pass.h"
#include "core/model/mlp_block.h"
#include "core/model/positions.h"
#include "core/ops/attention_bias.h"
#include "core/ops/embedding.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {
namespace {

// Dynamic scaling: every token's row, by the length of its sequence.
RotaryTable table_of_tokens(const RotarySpec& spec, const PackedBatch& batch) {
  const int64_t* positions = batch.positions.const_data_ptr<int64_t>();
  std::vector<int64_t> lengths;
  for (int64_t b = 0; b < batch.num_sequences(); ++b) {
    const int64_t length = batch.cu_seqlens[b + 1] - batch.cu_seqlens[b];
    lengths.insert(lengths.end(), length, length);
  }
  return rotary_table_of_rows(spec, {positions, positions + batch.num_rows()}, lengths);
}

void add_positions(ForwardPass& pass, const Decoder& decoder, const PackedBatch& batch) {
  const ModelConfig& config = decoder.config;
  const at::Tensor& weights = decoder.weights.embed_tokens;
  const int64_t num_positions = batch.positions.max().item<int64_t>() + 1;
  if (config.positions == Positions::alibi) {
    pass.attention.key_bias =
        falcon_alibi(config.num_attention_heads, num_positions, config.attention_scale)
            .to(weights.options());
  } else if (rotates_by_length(config)) {
    pass.rotary = on_device(table_of_tokens(rotary_of(config), batch), weights.device());
    pass.rotary_rows = at::arange(batch.num_rows(), weights.options().dtype(at::kLong));
  } else if (config.positions == Positions::rope) {
    pass.rotary = decoder.rotary->get(rotary_of(config), num_positions, weights.device());
    pass.rotary_rows = batch.positions.to(weights.device());
  }
}

SharedPass make_pass(const Decoder& decoder, const StackRun& run) {
  const PackedBatch& batch = run.batch;
  const ModelConfig& config = decoder.config;
  ForwardPass pass{
      .heads = config.num_attention_heads,
      .kv_heads = config.num_key_value_heads,
      .head_dim = config.head_dim,
      .norm = {config.norm, config.norm_eps},
      .activation = {config.activation, config.is_gated},
      .cu_seqlens = batch.cu_seqlens,
      .rotary = {},
      .rotary_rows = {},
      .attention = {.scale = config.attention_scale, .softcap = config.attention_softcap},
      .windows = config.windows};
  add_positions(pass, decoder, batch);
  pass.attention.is_causal = run.stack == Stack::decoder;
  if (config.positions == Positions::relative) {
    const bool is_encoder = run.stack == Stack::encoder;
    const DecoderWeights& weights = decoder.weights;
    pass.attention.relative = {is_encoder ? weights.encoder_relative_bias : weights.relative_bias,
                               config.relative_max_distance, is_encoder};
  }
  if (run.source != nullptr) {
    pass.source_cu_seqlens = run.source->cu_seqlens;
  }
  return std::make_shared<const ForwardPass>(std::move(pass));
}

at::Tensor embedded(const Decoder& decoder, const PackedBatch& batch) {
  const at::Device device = decoder.weights.embed_tokens.device();
  at::Tensor x = embed(decoder.weights.embed_tokens, batch.tokens.to(device));
  if (decoder.config.embedding_scale != 1.0) {
    // In f32, as transformers keeps it whatever the model's type.
    x = x * static_cast<float>(decoder.config.embedding_scale);
  }
  if (decoder.weights.embed_positions.defined()) {
    x = x + embed(decoder.weights.embed_positions, batch.positions.to(device));
  }
  return x;
}

// The decoder's cross-attention; its keys and values come straight from the encoder's output.
at::Tensor cross_attention(const at::Tensor& x, const Decoder& decoder, const StackRun& run,
                           int64_t layer, const SharedPass& pass) {
  const ModelConfig& config = decoder.config;
  const LayerWeights weights = with_norm_factors(decoder.weights.layers[layer], config.norm);
  const CrossWeights cross = cross_weights(weights, config);
  const std::vector<LinearSite> sites = cross_query_sites(config);
  const at::Tensor key_values = low_rank_linear_ref(
      run.source->hidden, cross.key_values.weight, cross.key_values.bias,
      layer_updates(run.source->options, layer, cross_source_sites(config), Product::qkv));
  return cross_attention_block(x, key_values, cross, pass,
                               {layer_updates(run.options, layer, sites, Product::qkv),
                                layer_updates(run.options, layer, sites, Product::o)});
}

}  // namespace

at::Tensor stack_hidden(const Decoder& decoder, const StackRun& run) {
  const ModelConfig& config = decoder.config;
  const SharedPass pass = make_pass(decoder, run);
  const std::vector<LayerStack> stacks = layer_stacks(config);
  const LayerStack& stack = stacks[run.stack == Stack::encoder ? 1 : 0];
  at::Tensor x = embedded(decoder, run.batch);
  for (int64_t i = 0; i < stack.count; ++i) {
    const int64_t layer = stack.first + i;
    const LayerWeights weights = with_norm_factors(decoder.weights.layers[layer], config.norm);
    const auto updates = [&](Product product) {
      return layer_updates(run.options, layer, stack.sites, product);
    };
    at::Tensor attended = attention_block(x, weights, pass, pass->attention_of(i),
                                          {updates(Product::qkv), updates(Product::o)});
    if (run.source != nullptr) {
      attended = cross_attention(attended, decoder, run, stacks.back().first + i, pass);
    }
    const at::Tensor& source = config.block_order == BlockOrder::sequential ? attended : x;
    x = mlp_block(source, attended, weights, pass,
                  {updates(Product::gate_up), updates(Product::down)});
  }
  const DecoderWeights& weights = decoder.weights;
  return norm(x,
              norm_factors(run.stack == Stack::encoder ? weights.encoder_norm : weights.final_norm,
                           config.norm),
              pass->norm);
}

}  // namespace plumb
