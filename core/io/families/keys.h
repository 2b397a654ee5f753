// What the families' readers and writers share: keys that several of them have.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "core/io/config_values.h"
#include "core/io/model_config.h"

namespace plumb {

// A key that changes what a model computes, with the one value (JSON) at which it computes what the
// decoder does. null and not given are neutral too.
struct Neutral {
  const char* key;
  const char* value;
};
void refuse_other_values(const ConfigValues& values, std::span<const Neutral> neutrals);

// D = C / H, all of it turned by rope, and the scale D^-0.5.
void set_usual_head_dim(const ConfigValues& values, const char* heads_key, ModelConfig& config);

// transformers' names of activations (ACT2FN); an unknown one is an error that lists those known.
Activation read_activation(const ConfigValues& values, const char* key, const char* otherwise);
// The name stays as it is where it says the same.
void write_activation(Activation activation, const char* key, Json& json);

// What a family's config class takes for keys that its files leave out.
struct UsualTokens {
  std::optional<std::int32_t> bos = {};
  std::set<std::int32_t> eos = {};
  bool is_tied = false;
};
// bos_token_id, eos_token_id, pad_token_id and tie_word_embeddings, after vocab_size.
void read_tokens(const ConfigValues& values, const UsualTokens& usual, ModelConfig& config);

// Where a family keeps what transformers 5 has in rope_parameters.
struct RopeKeys {
  const char* theta = "rope_theta";
  const char* partial = nullptr;  // the share of D that is turned; nullptr: all of it, always
  double default_partial = 1.0;
};
// From rope_parameters (transformers 5), or `keys` and rope_scaling (4).
void read_rope(const ConfigValues& values, const RopeKeys& keys, ModelConfig& config);
void write_rope(const ModelConfig& config, const RopeKeys& keys, Json& json);

// The window of each layer by layer_types where that is given, by is_sliding(layer) elsewhere.
// window 0: none; a layer that slides then is an error.
void set_windows(const ConfigValues& values, std::int64_t window,
                 bool (*is_sliding)(const ConfigValues& values, std::int64_t layer),
                 ModelConfig& config);

// Every layer slides over `sliding_window` where it is given and not null (Mistral, Phi-3).
void set_same_window(const ConfigValues& values, std::int64_t window, ModelConfig& config);

// "sliding_attention" or "full_attention" of each layer.
Json layer_types_of(const ModelConfig& config);

}  // namespace plumb
