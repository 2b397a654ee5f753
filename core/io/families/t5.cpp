#include <cmath>

#include "core/io/families/keys.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

constexpr const char* kActivationKey = "feed_forward_proj";
constexpr const char* kScaleKey = "scale_decoder_outputs";
// Relative positions have no end: n_positions is what the model was trained with, and transformers
// does not hold it to that.
constexpr std::int64_t kPositions = 1 << 20;

// "relu", "gated-silu", ...; "gated-gelu" is the tanh form, as T5Config has it.
void read_activation_and_gate(const ConfigValues& values, ModelConfig& config) {
  const std::string kGate = "gated-";
  const std::string name = values.string(kActivationKey, "relu");
  config.is_gated = name.starts_with(kGate);
  Json activation = {{kActivationKey, config.is_gated ? name.substr(kGate.size()) : name}};
  if (name == "gated-gelu") activation[kActivationKey] = "gelu_new";
  config.activation =
      read_activation(ConfigValues(activation, values.source()), kActivationKey, "relu");
}

double scale_of(const ModelConfig& config) {
  return 1.0 / std::sqrt(static_cast<double>(config.hidden_size));
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"is_decoder", "false"}, {"tie_encoder_decoder", "false"}};
  refuse_other_values(values, kNeutral);
  config.is_encoder_decoder = true;
  config.norm = Norm::rms;
  config.positions = Positions::relative;
  config.hidden_size = values.integer("d_model");
  config.intermediate_size = values.integer("d_ff");
  config.num_encoder_layers = values.integer("num_layers");
  config.num_hidden_layers = values.integer("num_decoder_layers", config.num_encoder_layers);
  config.num_attention_heads = config.num_key_value_heads = values.integer("num_heads");
  set_head_dim(values.integer("d_kv"), config);
  config.attention_scale = 1.0;
  config.max_position_embeddings = kPositions;
  config.relative_buckets = values.integer("relative_attention_num_buckets", 32);
  config.relative_max_distance = values.integer("relative_attention_max_distance", 128);
  config.norm_eps = values.number("layer_norm_epsilon", 1e-6);
  read_activation_and_gate(values, config);
  read_tokens(values, {.eos = {1}, .is_tied = true}, config);
  // transformers trains with no other than this key's, whatever pad_token_id is.
  const auto start = values.id("decoder_start_token_id", std::nullopt);
  if (!start) values.fail("decoder_start_token_id", "must be given: the decoder reads it first");
  config.decoder_start_token_id = *start;
  // v1.0 scales what goes into its head, v1.1 does not. Files of transformers 4 tell them apart by
  // the tie, those of 5 by a key of its own.
  if (config.hidden_size > 0 && values.boolean(kScaleKey, config.tie_word_embeddings)) {
    config.hidden_scale = scale_of(config);
  }
}

void write(const ModelConfig& config, Json& json) {
  json["is_encoder_decoder"] = true;
  json["d_model"] = config.hidden_size;
  json["d_ff"] = config.intermediate_size;
  json["d_kv"] = config.head_dim;
  json["num_layers"] = config.num_encoder_layers;
  json["num_decoder_layers"] = config.num_hidden_layers;
  json["num_heads"] = config.num_attention_heads;
  json["relative_attention_num_buckets"] = config.relative_buckets;
  json["relative_attention_max_distance"] = config.relative_max_distance;
  json["layer_norm_epsilon"] = config.norm_eps;
  json["decoder_start_token_id"] = config.decoder_start_token_id;
  json[kScaleKey] = config.hidden_scale != 1.0;
  if (!json.contains(kActivationKey)) {
    Json activation = Json::object();
    write_activation(config.activation, kActivationKey, activation);
    const auto name = activation[kActivationKey].get<std::string>();
    json[kActivationKey] = config.is_gated ? "gated-" + name : name;
  }
}

std::vector<LinearName> feed_forward(const ModelConfig& config, bool is_decoder) {
  if (config.is_gated) {
    return is_decoder ? std::vector<LinearName>{{Linear::gate, "layer.2.DenseReluDense.wi_0"},
                                                {Linear::up, "layer.2.DenseReluDense.wi_1"},
                                                {Linear::down, "layer.2.DenseReluDense.wo"}}
                      : std::vector<LinearName>{{Linear::gate, "layer.1.DenseReluDense.wi_0"},
                                                {Linear::up, "layer.1.DenseReluDense.wi_1"},
                                                {Linear::down, "layer.1.DenseReluDense.wo"}};
  }
  return is_decoder ? std::vector<LinearName>{{Linear::up, "layer.2.DenseReluDense.wi"},
                                              {Linear::down, "layer.2.DenseReluDense.wo"}}
                    : std::vector<LinearName>{{Linear::up, "layer.1.DenseReluDense.wi"},
                                              {Linear::down, "layer.1.DenseReluDense.wo"}};
}

std::vector<LinearName> joined(std::vector<LinearName> linears,
                               const std::vector<LinearName>& more) {
  linears.insert(linears.end(), more.begin(), more.end());
  return linears;
}

TensorNames names(const ModelConfig& config) {
  const std::vector<LinearName> self_attention = {{Linear::q, "layer.0.SelfAttention.q"},
                                                  {Linear::k, "layer.0.SelfAttention.k"},
                                                  {Linear::v, "layer.0.SelfAttention.v"},
                                                  {Linear::o, "layer.0.SelfAttention.o"}};
  return {
      .embed_tokens = "shared.weight",
      .embed_positions = "",
      .layers = "decoder.block.",
      .final_norm = "decoder.final_layer_norm",
      .lm_head = "lm_head.weight",
      .linears = joined(self_attention, feed_forward(config, true)),
      .norms = {{NormSite::attention, "layer.0.layer_norm"}, {NormSite::mlp, "layer.2.layer_norm"}},
      .base = "",
      // T5 never used this one.
      .buffers = {"layer.1.EncDecAttention.relative_attention_bias.weight"},
      .embedding_copies = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"},
      .source = {
          .encoder = {.layers = "encoder.block.",
                      .linears = joined(self_attention, feed_forward(config, false)),
                      .norms = {{NormSite::attention, "layer.0.layer_norm"},
                                {NormSite::mlp, "layer.1.layer_norm"}}},
          .cross = {.layers = "decoder.block.",
                    .linears = {{Linear::q, "layer.1.EncDecAttention.q"},
                                {Linear::k, "layer.1.EncDecAttention.k"},
                                {Linear::v, "layer.1.EncDecAttention.v"},
                                {Linear::o, "layer.1.EncDecAttention.o"}},
                    .norms = {{NormSite::attention, "layer.1.layer_norm"}}},
          .final_norm = "encoder.final_layer_norm",
          .relative_bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
          .decoder_relative_bias =
              "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"}};
}

}  // namespace

constinit const Family kT5 = {
    "t5", "T5ForConditionalGeneration", "", "T5 and T5 v1.1, Flan-T5", read, write, names};

}  // namespace plumb
