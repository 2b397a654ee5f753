#include "core/io/families/llama_like.h"

namespace plumb {

void read_llama_like(const ConfigValues& values, const LlamaDefaults& defaults,
                     ModelConfig& config) {
  config.hidden_size = values.integer("hidden_size");
  config.intermediate_size = values.integer("intermediate_size");
  config.num_hidden_layers = values.integer("num_hidden_layers");
  config.num_attention_heads = values.integer("num_attention_heads");
  config.num_key_value_heads =
      defaults.kv_heads_are_heads
          ? values.integer("num_key_value_heads", config.num_attention_heads)
          : values.integer("num_key_value_heads");
  config.max_position_embeddings =
      defaults.max_position_embeddings > 0
          ? values.integer("max_position_embeddings", defaults.max_position_embeddings)
          : values.integer("max_position_embeddings");
  if (values.has("head_dim") || defaults.head_dim > 0) {
    set_head_dim(values.integer("head_dim", defaults.head_dim), config);
  } else {
    set_usual_head_dim(values, "num_attention_heads", config);
  }
  config.norm_eps = values.number("rms_norm_eps", defaults.rms_norm_eps);
  config.activation = read_activation(values, defaults.activation_key, defaults.activation);
  read_rope(values, defaults.rope, config);
  read_tokens(values, defaults.tokens, config);
}

void write_llama_like(const ModelConfig& config, const LlamaDefaults& defaults, Json& json) {
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_attention_heads"] = config.num_attention_heads;
  json["num_key_value_heads"] = config.num_key_value_heads;
  json["head_dim"] = config.head_dim;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["rms_norm_eps"] = config.norm_eps;
  write_activation(config.activation, defaults.activation_key, json);
  write_rope(config, defaults.rope, json);
}

TensorNames llama_names() {
  return {.embed_tokens = "model.embed_tokens.weight",
          .embed_positions = "",
          .layers = "model.layers.",
          .final_norm = "model.norm",
          .lm_head = "lm_head.weight",
          .linears = {{Linear::q, "self_attn.q_proj"},
                      {Linear::k, "self_attn.k_proj"},
                      {Linear::v, "self_attn.v_proj"},
                      {Linear::o, "self_attn.o_proj"},
                      {Linear::gate, "mlp.gate_proj"},
                      {Linear::up, "mlp.up_proj"},
                      {Linear::down, "mlp.down_proj"}},
          .norms = {{NormSite::attention, "input_layernorm"},
                    {NormSite::mlp, "post_attention_layernorm"}},
          .base = "model.",
          .buffers = {"rotary_emb.inv_freq"}};
}

}  // namespace plumb
