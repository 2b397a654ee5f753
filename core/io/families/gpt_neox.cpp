#include "core/io/families/keys.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

constexpr RopeKeys kRope = {
    .theta = "rotary_emb_base", .partial = "rotary_pct", .default_partial = 0.25};

void read(const ConfigValues& values, ModelConfig& config) {
  config.norm = Norm::layer;
  config.is_gated = false;
  config.has_mlp_bias = true;
  config.has_qkv_bias = config.has_o_bias = values.boolean("attention_bias", true);
  config.block_order =
      values.boolean("use_parallel_residual", true) ? BlockOrder::parallel : BlockOrder::sequential;
  config.hidden_size = values.integer("hidden_size");
  config.intermediate_size = values.integer("intermediate_size");
  config.num_hidden_layers = values.integer("num_hidden_layers");
  config.num_attention_heads = config.num_key_value_heads = values.integer("num_attention_heads");
  config.max_position_embeddings = values.integer("max_position_embeddings", 2048);
  set_usual_head_dim(values, "num_attention_heads", config);
  config.norm_eps = values.number("layer_norm_eps", 1e-5);
  config.activation = read_activation(values, "hidden_act", "gelu");
  read_rope(values, kRope, config);
  read_tokens(values, {.bos = 0, .eos = {2}}, config);
}

void write(const ModelConfig& config, Json& json) {
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_attention_heads"] = config.num_attention_heads;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["layer_norm_eps"] = config.norm_eps;
  json["use_parallel_residual"] = config.block_order == BlockOrder::parallel;
  json["attention_bias"] = config.has_qkv_bias;
  write_activation(config.activation, "hidden_act", json);
  write_rope(config, kRope, json);
}

TensorNames names(const ModelConfig&) {
  return {.embed_tokens = "gpt_neox.embed_in.weight",
          .embed_positions = "",
          .layers = "gpt_neox.layers.",
          .final_norm = "gpt_neox.final_layer_norm",
          .lm_head = "embed_out.weight",
          .linears = {{Linear::qkv, "attention.query_key_value"},
                      {Linear::o, "attention.dense"},
                      {Linear::up, "mlp.dense_h_to_4h"},
                      {Linear::down, "mlp.dense_4h_to_h"}},
          .norms = {{NormSite::attention, "input_layernorm"},
                    {NormSite::mlp, "post_attention_layernorm"}},
          .base = "gpt_neox.",
          .buffers = {".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"},
          .qkv_rows = QkvRows::per_kv_head};
}

}  // namespace

constinit const Family kGptNeoX = {"gpt_neox",
                                   "GPTNeoXForCausalLM",
                                   "GPTNeoXForSequenceClassification",
                                   "GPT-NeoX, Pythia",
                                   read,
                                   write,
                                   names};

}  // namespace plumb
