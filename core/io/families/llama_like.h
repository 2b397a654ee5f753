// Families that keep Llama's keys and names but for a few: each calls these and adds its own.
#pragma once
#include "core/io/families/keys.h"
#include "core/io/family.h"

namespace plumb {

// What a family's config class takes for a key left out; 0: the class takes another value than
// Llama's, which no published file leaves to it, so the key must be given.
struct LlamaDefaults {
  UsualTokens tokens = {};
  std::int64_t max_position_embeddings = 0;
  std::int64_t head_dim = 0;        // 0: hidden_size / num_attention_heads
  bool kv_heads_are_heads = false;  // num_key_value_heads left out is num_attention_heads
  double rms_norm_eps = 1e-6;
  RopeKeys rope = {};
  const char* activation_key = "hidden_act";
  const char* activation = "silu";
};
void read_llama_like(const ConfigValues& values, const LlamaDefaults& defaults,
                     ModelConfig& config);
void write_llama_like(const ModelConfig& config, const LlamaDefaults& defaults, Json& json);

// q, k, v, o, gate, up and down apart, a norm before each block.
TensorNames llama_names();

}  // namespace plumb
