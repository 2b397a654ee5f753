#include "core/model/decoder.h"

#include <string>

#include "core/error.h"
#include "core/model/adapter_rows.h"
#include "core/model/attention_block.h"
#include "core/model/forward_pass.h"
#include "core/model/mlp_block.h"
#include "core/model/rotary_of.h"
#include "core/ops/rms_norm.h"

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
  check_range(batch.positions, config.max_position_embeddings, "positions",
              "shorten the sequences to max_position_embeddings");
}

SharedPass make_pass(const Decoder& decoder, const PackedBatch& batch) {
  const ModelConfig& config = decoder.config;
  const int64_t num_positions = batch.positions.max().item<int64_t>() + 1;
  return std::make_shared<const ForwardPass>(ForwardPass{
      config.num_attention_heads, config.num_key_value_heads, config.head_dim, config.rms_norm_eps,
      batch.positions, batch.cu_seqlens, decoder.rotary->get(rotary_of(config), num_positions)});
}

AttentionUpdates attention_updates(const ForwardOptions& options, const ModelConfig& config,
                                   int64_t layer) {
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  return {layer_updates(options, layer,
                        {{Linear::q, 0, q}, {Linear::k, q, kv}, {Linear::v, q + kv, kv}}),
          layer_updates(options, layer, {{Linear::o, 0, config.hidden_size}})};
}

MlpUpdates mlp_updates(const ForwardOptions& options, const ModelConfig& config, int64_t layer) {
  const int64_t width = config.intermediate_size;
  return {layer_updates(options, layer, {{Linear::gate, 0, width}, {Linear::up, width, width}}),
          layer_updates(options, layer, {{Linear::down, 0, config.hidden_size}})};
}

}  // namespace

at::Tensor Decoder::hidden(const PackedBatch& batch, const ForwardOptions& options) const {
  check_batch(batch, config);
  check_adapters(options, config, batch.num_rows());
  const SharedPass pass = make_pass(*this, batch);
  at::Tensor x = at::embedding(weights.embed_tokens, batch.tokens);
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const LayerWeights& here = weights.layers[layer];
    x = attention_block(x, here, pass, attention_updates(options, config, layer));
    x = mlp_block(x, here, pass, mlp_updates(options, config, layer));
  }
  return rms_norm(x, weights.final_norm, config.rms_norm_eps);
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const {
  return at::linear(hidden, weights.lm_head);
}

std::vector<NamedTensor> Decoder::parameters() const {
  std::vector<NamedTensor> all{{"embed_tokens", weights.embed_tokens}};
  for (std::size_t layer = 0; layer < weights.layers.size(); ++layer) {
    const LayerWeights& here = weights.layers[layer];
    const std::string prefix = "layers." + std::to_string(layer) + ".";
    all.push_back({prefix + "input_norm", here.input_norm});
    all.push_back({prefix + "qkv", here.qkv});
    if (here.qkv_bias.defined()) {
      all.push_back({prefix + "qkv_bias", here.qkv_bias});
    }
    all.push_back({prefix + "o", here.o});
    all.push_back({prefix + "post_norm", here.post_norm});
    all.push_back({prefix + "gate_up", here.gate_up});
    all.push_back({prefix + "down", here.down});
  }
  all.push_back({"final_norm", weights.final_norm});
  if (!weights.lm_head.is_same(weights.embed_tokens)) {
    all.push_back({"lm_head", weights.lm_head});
  }
  return all;
}

}  // namespace plumb
