// Models of a few thousand weights, one a family whose ops differ.
#pragma once
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/file_tensors.h"

namespace plumb::test {

inline ModelConfig base_config() {
  ModelConfig config;
  config.vocab_size = 24;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  set_head_dim(8, config);
  config.max_position_embeddings = 64;
  config.initializer_range = 0.2;
  return config;
}

struct Family {
  const char* name;
  void (*set)(ModelConfig&);
};

inline const std::vector<Family>& families() {
  static const std::vector<Family> all{{"llama", [](ModelConfig&) {}},
                                       {"qwen3", [](ModelConfig& c) { c.has_qk_norm = true; }},
                                       {"gemma2",
                                        [](ModelConfig& c) {
                                          c.norm = Norm::rms_one_plus;
                                          c.has_post_norms = true;
                                          c.activation = Activation::gelu_tanh;
                                          c.attention_softcap = 3.0;
                                          c.logits_softcap = 2.0;
                                          c.embedding_scale = 4.9;
                                          c.windows = {4, 0};
                                          c.tie_word_embeddings = true;
                                        }},
                                       {"gpt2",
                                        [](ModelConfig& c) {
                                          c.model_type = "gpt2";
                                          c.norm = Norm::layer;
                                          c.positions = Positions::learned;
                                          c.activation = Activation::gelu_tanh;
                                          c.is_gated = false;
                                          c.num_key_value_heads = 4;
                                          c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
                                          c.tie_word_embeddings = true;
                                        }},
                                       {"falcon_alibi", [](ModelConfig& c) {
                                          c.model_type = "falcon";
                                          c.norm = Norm::layer;
                                          c.positions = Positions::alibi;
                                          c.activation = Activation::gelu;
                                          c.is_gated = false;
                                          c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
                                        }}};
  return all;
}

inline ModelConfig config_of(const Family& family) {
  ModelConfig config = base_config();
  family.set(config);
  return config;
}

// All weights random, so that no gradient is zero by chance of its place.
inline Decoder random_decoder(const ModelConfig& config) {
  Decoder decoder;
  decoder.config = config;
  decoder.weights = allocate_weights(config);
  at::manual_seed(11);
  for (const NamedTensor& parameter : decoder.parameters()) {
    const bool is_norm = parameter.name.find("norm.weight") != std::string::npos;
    const bool is_offset = config.norm == Norm::rms_one_plus;
    parameter.tensor.normal_(is_norm && !is_offset ? 1.0 : 0.0, 0.2);
  }
  return decoder;
}

// Packed sequences of different lengths.
inline std::vector<std::vector<int32_t>> small_texts() {
  return {{1, 5, 9, 2, 2, 17, 3}, {4, 4, 8}, {23, 0, 11, 6, 7, 13, 19, 20, 21, 10, 12}};
}

}  // namespace plumb::test
