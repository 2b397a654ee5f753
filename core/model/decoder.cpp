#include "core/model/decoder.h"

#include <string>

#include "core/error.h"
#include "core/model/adapter_rows.h"
#include "core/model/attention_block.h"
#include "core/model/forward_pass.h"
#include "core/model/mlp_block.h"
#include "core/model/positions.h"
#include "core/ops/attention_bias.h"

namespace plumb {
namespace {

void check_range(const at::Tensor& ids, int64_t limit, const char* what, const char* advice) {
  const auto [low, high] = ids.aminmax();
  if (low.item<int64_t>() < 0 || high.item<int64_t>() >= limit) {
    throw Error(std::string("decoder: ") + what + " must lie in [0, " + std::to_string(limit) +
                "), got " + std::to_string(low.item<int64_t>()) + " to " +
                std::to_string(high.item<int64_t>()) + "; " + advice);
  }
}

void check_batch(const PackedBatch& batch, const ModelConfig& config) {
  if (batch.num_rows() == 0) {
    throw Error("decoder: the batch holds no tokens", Exit::failed);
  }
  check_range(batch.tokens, config.vocab_size, "token ids",
              "the tokenizer and the model belong to different vocabularies");
  check_range(batch.positions, position_limit(config), "positions",
              "shorten the sequences to max_position_embeddings");
}

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
  const int64_t num_positions = batch.positions.max().item<int64_t>() + 1;
  if (config.positions == Positions::alibi) {
    pass.attention.key_bias =
        falcon_alibi(config.num_attention_heads, num_positions, config.attention_scale)
            .to(decoder.weights.embed_tokens.scalar_type());
  } else if (rotates_by_length(config)) {
    pass.rotary = table_of_tokens(rotary_of(config), batch);
    pass.rotary_rows = at::arange(batch.num_rows(), at::kLong);
  } else if (config.positions == Positions::rope) {
    pass.rotary = decoder.rotary->get(rotary_of(config), num_positions);
    pass.rotary_rows = batch.positions;
  }
}

SharedPass make_pass(const Decoder& decoder, const PackedBatch& batch) {
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
  return std::make_shared<const ForwardPass>(std::move(pass));
}

at::Tensor embedded(const Decoder& decoder, const PackedBatch& batch) {
  at::Tensor x = at::embedding(decoder.weights.embed_tokens, batch.tokens);
  if (decoder.config.embedding_scale != 1.0) {
    // In f32, as transformers keeps it whatever the model's type.
    x = x * static_cast<float>(decoder.config.embedding_scale);
  }
  if (decoder.weights.embed_positions.defined()) {
    x = x + at::embedding(decoder.weights.embed_positions, batch.positions);
  }
  return x;
}

// One layer: `updates` of a product are asked for as they are needed.
template <class Updates>
at::Tensor run_layer(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                     const AttentionOptions& options, BlockOrder order, const Updates& updates) {
  const at::Tensor attended =
      attention_block(x, weights, pass, options, {updates(Product::qkv), updates(Product::o)});
  const at::Tensor& source = order == BlockOrder::sequential ? attended : x;
  return mlp_block(source, attended, weights, pass,
                   {updates(Product::gate_up), updates(Product::down)});
}

struct Named {
  std::vector<NamedTensor> all;

  void add(const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) {
      all.push_back({name, tensor});
    }
  }
  template <class Weights>  // of a norm or a product
  void add_both(const std::string& name, const Weights& weights) {
    add(name + ".weight", weights.weight);
    add(name + ".bias", weights.bias);
  }
  void add_layer(const std::string& prefix, const LayerWeights& layer) {
    add_both(prefix + "attention_norm", layer.attention_norm);
    add_both(prefix + "qkv", layer.qkv);
    add_both(prefix + "q_norm", layer.q_norm);
    add_both(prefix + "k_norm", layer.k_norm);
    add_both(prefix + "o", layer.o);
    add_both(prefix + "after_attention_norm", layer.after_attention_norm);
    add_both(prefix + "mlp_norm", layer.mlp_norm);
    add_both(prefix + "gate_up", layer.gate_up);
    add_both(prefix + "down", layer.down);
    add_both(prefix + "after_mlp_norm", layer.after_mlp_norm);
  }
};

}  // namespace

const ProductWeights& LayerWeights::product(Product which) const {
  switch (which) {
    case Product::qkv:
      return qkv;
    case Product::o:
      return o;
    case Product::gate_up:
      return gate_up;
    default:
      return down;
  }
}

at::Tensor Decoder::hidden(const PackedBatch& batch, const ForwardOptions& options) const {
  check_batch(batch, config);
  check_adapters(options, config, batch.num_rows());
  const SharedPass pass = make_pass(*this, batch);
  const std::vector<LinearSite> sites = linear_sites(config);
  at::Tensor x = embedded(*this, batch);
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    x = run_layer(x, with_norm_factors(weights.layers[layer], config.norm), pass,
                  pass->attention_of(layer), config.block_order,
                  [&](Product product) { return layer_updates(options, layer, sites, product); });
  }
  return norm(x, norm_factors(weights.final_norm, config.norm), pass->norm);
}

LmHead Decoder::head() const {
  return {weights.lm_head, config.logits_softcap};
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const {
  const at::Tensor raw = at::linear(hidden, weights.lm_head);
  const double cap = config.logits_softcap;
  return cap > 0 ? (raw / cap).tanh() * cap : raw;
}

std::vector<NamedTensor> Decoder::parameters() const {
  Named named;
  named.add("embed_tokens", weights.embed_tokens);
  named.add("embed_positions", weights.embed_positions);
  for (std::size_t layer = 0; layer < weights.layers.size(); ++layer) {
    named.add_layer("layers." + std::to_string(layer) + ".", weights.layers[layer]);
  }
  named.add_both("final_norm", weights.final_norm);
  if (!weights.lm_head.is_same(weights.embed_tokens)) {
    named.add("lm_head", weights.lm_head);
  }
  return std::move(named.all);
}

}  // namespace plumb
