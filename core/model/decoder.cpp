#include "core/model/decoder.h"

#include <string>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "core/model/adapter_rows.h"
#include "core/model/stack_hidden.h"
#include "core/model/text_to_text.h"

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
  const at::Tensor last = config.is_encoder_decoder ? text_to_text_hidden(*this, batch, options)
                                                    : stack_hidden(*this, {batch, options});
  return config.hidden_scale == 1.0 ? last : last * config.hidden_scale;
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
  named.add_both("encoder_norm", weights.encoder_norm);
  named.add("encoder_relative_bias", weights.encoder_relative_bias);
  named.add("relative_bias", weights.relative_bias);
  if (!weights.lm_head.is_same(weights.embed_tokens)) {
    named.add("lm_head", weights.lm_head);
  }
  return std::move(named.all);
}

}  // namespace plumb
