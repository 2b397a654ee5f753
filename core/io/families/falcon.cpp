#include "core/io/families/keys.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

// 7B: parallel, one norm. 40B: new_decoder_architecture, a norm for each of the two. 11B: new, one
// norm. RW: one after the other.
BlockOrder read_order(const ConfigValues& values, bool is_new) {
  if (!values.boolean("parallel_attn", true)) {
    if (is_new) {
      values.fail("parallel_attn", "must be true where new_decoder_architecture is");
    }
    return BlockOrder::sequential;
  }
  const std::int64_t norms = values.integer("num_ln_in_parallel_attn", is_new ? 2 : 1);
  if (norms != 1 && !(norms == 2 && is_new)) {
    values.fail("num_ln_in_parallel_attn",
                "must be 1, or 2 where new_decoder_architecture is true");
  }
  return norms == 2 ? BlockOrder::parallel : BlockOrder::parallel_shared_norm;
}

// The key says something in the new architecture only; before that it is H in 7B's files too.
std::int64_t read_kv_heads(const ConfigValues& values, bool is_new, std::int64_t heads) {
  if (is_new) return values.integer("num_kv_heads", heads);
  return values.boolean("multi_query", true) ? 1 : heads;
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"apply_residual_connection_post_layernorm", "false"}};
  refuse_other_values(values, kNeutral);
  const bool is_new = values.boolean("new_decoder_architecture", false);
  config.norm = Norm::layer;
  config.positions = values.boolean("alibi", false) ? Positions::alibi : Positions::rope;
  config.is_gated = false;
  config.has_qkv_bias = config.has_o_bias = config.has_mlp_bias = values.boolean("bias", false);
  config.block_order = read_order(values, is_new);
  config.hidden_size = values.integer("hidden_size");
  config.intermediate_size = values.integer("ffn_hidden_size", 4 * config.hidden_size);
  config.num_hidden_layers = values.integer("num_hidden_layers");
  config.num_attention_heads = values.integer("num_attention_heads");
  config.num_key_value_heads = read_kv_heads(values, is_new, config.num_attention_heads);
  config.max_position_embeddings = values.integer("max_position_embeddings", 2048);
  set_usual_head_dim(values, "num_attention_heads", config);
  config.norm_eps = values.number("layer_norm_epsilon", 1e-5);
  config.activation = read_activation(values, "activation", "gelu");
  if (config.positions == Positions::rope) read_rope(values, {}, config);
  read_tokens(values, {.bos = 11, .eos = {11}, .is_tied = true}, config);
}

void write(const ModelConfig& config, Json& json) {
  const bool is_new = json.value("new_decoder_architecture", Json(false)) == true;
  json["alibi"] = config.positions == Positions::alibi;
  json["bias"] = config.has_qkv_bias;
  json["parallel_attn"] = config.block_order != BlockOrder::sequential;
  json["hidden_size"] = config.hidden_size;
  json["ffn_hidden_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_attention_heads"] = config.num_attention_heads;
  if (is_new) {
    json["num_kv_heads"] = config.num_key_value_heads;
    json["num_ln_in_parallel_attn"] = config.block_order == BlockOrder::parallel ? 2 : 1;
  } else {
    json["multi_query"] = config.num_key_value_heads == 1;
  }
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["layer_norm_epsilon"] = config.norm_eps;
  write_activation(config.activation, "activation", json);
  if (config.positions == Positions::rope) write_rope(config, {}, json);
}

TensorNames names(const ModelConfig& config) {
  TensorNames names = {.embed_tokens = "transformer.word_embeddings.weight",
                       .embed_positions = "",
                       .layers = "transformer.h.",
                       .final_norm = "transformer.ln_f",
                       .lm_head = "lm_head.weight",
                       .linears = {{Linear::qkv, "self_attention.query_key_value"},
                                   {Linear::o, "self_attention.dense"},
                                   {Linear::up, "mlp.dense_h_to_4h"},
                                   {Linear::down, "mlp.dense_4h_to_h"}},
                       .norms = {},
                       .base = "transformer.",
                       .buffers = {"rotary_emb.inv_freq", "maybe_rotary.inv_freq"},
                       .qkv_rows = QkvRows::per_kv_head};
  switch (config.block_order) {
    case BlockOrder::parallel:
      names.norms = {{NormSite::attention, "ln_attn"}, {NormSite::mlp, "ln_mlp"}};
      break;
    case BlockOrder::parallel_shared_norm:
      names.norms = {{NormSite::attention, "input_layernorm"}};
      break;
    case BlockOrder::sequential:
      names.norms = {{NormSite::attention, "input_layernorm"},
                     {NormSite::mlp, "post_attention_layernorm"}};
      break;
  }
  return names;
}

}  // namespace

constinit const Family kFalcon = {"falcon",
                                  "FalconForCausalLM",
                                  "FalconForSequenceClassification",
                                  "Falcon 7B, 11B, 40B, 180B, RW",
                                  read,
                                  write,
                                  names};

}  // namespace plumb
