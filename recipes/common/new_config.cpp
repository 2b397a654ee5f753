#include "recipes/common/new_config.h"

#include <cmath>

#include "core/error.h"

namespace plumb {

ModelConfig new_config(const ArchitectureOptions& shape, int64_t vocab_size) {
  if (shape.hidden_size % shape.num_attention_heads != 0) {
    throw Error("architecture.num_attention_heads: must divide hidden_size " +
                    std::to_string(shape.hidden_size) + ", got " +
                    std::to_string(shape.num_attention_heads),
                Exit::usage);
  }
  ModelConfig config;
  config.vocab_size = vocab_size;
  config.hidden_size = shape.hidden_size;
  config.intermediate_size = shape.intermediate_size;
  config.num_hidden_layers = shape.num_hidden_layers;
  config.num_attention_heads = shape.num_attention_heads;
  config.num_key_value_heads = shape.num_key_value_heads;
  set_head_dim(shape.hidden_size / shape.num_attention_heads, config);
  config.rotary_dim = config.head_dim;
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  config.max_position_embeddings = shape.max_position_embeddings;
  config.rope_theta = shape.rope_theta;
  config.initializer_range = shape.initializer_range;
  config.tie_word_embeddings = shape.tie_word_embeddings;
  return config;
}

}  // namespace plumb
