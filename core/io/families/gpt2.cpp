#include "core/io/families/keys.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

void read(const ConfigValues& values, ModelConfig& config) {
  // reorder_and_upcast_attn is about types alone.
  static constexpr Neutral kNeutral[] = {{"scale_attn_by_inverse_layer_idx", "false"}};
  refuse_other_values(values, kNeutral);
  config.norm = Norm::layer;
  config.positions = Positions::learned;
  config.is_gated = false;
  config.has_qkv_bias = config.has_o_bias = config.has_mlp_bias = true;
  config.hidden_size = values.integer("n_embd");
  config.num_hidden_layers = values.integer("n_layer");
  config.num_attention_heads = config.num_key_value_heads = values.integer("n_head");
  config.max_position_embeddings = values.integer("n_positions");
  config.intermediate_size = values.integer("n_inner", 4 * config.hidden_size);
  set_usual_head_dim(values, "n_head", config);
  if (!values.boolean("scale_attn_weights", true)) config.attention_scale = 1.0;
  config.norm_eps = values.number("layer_norm_epsilon", 1e-5);
  config.activation = read_activation(values, "activation_function", "gelu_new");
  read_tokens(values, {.bos = 50256, .eos = {50256}, .is_tied = true}, config);
}

void write(const ModelConfig& config, Json& json) {
  json["n_embd"] = config.hidden_size;
  json["n_layer"] = config.num_hidden_layers;
  json["n_head"] = config.num_attention_heads;
  json["n_positions"] = config.max_position_embeddings;
  const bool is_usual = config.intermediate_size == 4 * config.hidden_size;
  json["n_inner"] = is_usual ? Json(nullptr) : Json(config.intermediate_size);
  json["scale_attn_weights"] = config.head_dim == 1 || config.attention_scale != 1.0;
  json["layer_norm_epsilon"] = config.norm_eps;
  write_activation(config.activation, "activation_function", json);
}

TensorNames names(const ModelConfig&) {
  return {.embed_tokens = "transformer.wte.weight",
          .embed_positions = "transformer.wpe.weight",
          .layers = "transformer.h.",
          .final_norm = "transformer.ln_f",
          .lm_head = "lm_head.weight",
          .linears = {{Linear::qkv, "attn.c_attn"},
                      {Linear::o, "attn.c_proj"},
                      {Linear::up, "mlp.c_fc"},
                      {Linear::down, "mlp.c_proj"}},
          .norms = {{NormSite::attention, "ln_1"}, {NormSite::mlp, "ln_2"}},
          .base = "transformer.",
          .buffers = {".attn.bias", ".attn.masked_bias"},
          .weight_order = WeightOrder::in_out};
}

}  // namespace

constinit const Family kGpt2 = {
    "gpt2", "GPT2LMHeadModel", "GPT2ForSequenceClassification", "GPT-2, DistilGPT2", read, write,
    names};

}  // namespace plumb
