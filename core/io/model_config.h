// A Hugging Face config.json as the decoder needs it, read as transformers 4 and 5 write it. What
// the decoder cannot compute exactly is refused by key and value, never approximated; code
// references (auto_map) are ignored with a warning.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/io/json.h"

namespace plumb {

// What the decoder can be made of.
enum class Norm { rms };
enum class Positions { rope };
enum class Activation { silu_gated };

enum class RopeType { standard, llama3 };  // "default" and "llama3" in files

// How rotary frequencies are stretched (transformers' modeling_rope_utils.py). With `standard` the
// other fields mean nothing.
struct RopeScaling {
  RopeType type = RopeType::standard;
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  std::int64_t original_max_position_embeddings = 0;
};

struct ModelConfig {
  Norm norm = Norm::rms;
  Positions positions = Positions::rope;
  Activation activation = Activation::silu_gated;

  std::int64_t vocab_size = 0;           // V
  std::int64_t hidden_size = 0;          // C
  std::int64_t intermediate_size = 0;    // F
  std::int64_t num_hidden_layers = 0;    // L
  std::int64_t num_attention_heads = 0;  // H
  std::int64_t num_key_value_heads = 0;  // K, divides H
  std::int64_t head_dim = 0;             // D, even; H * D need not be C
  std::int64_t max_position_embeddings = 2048;

  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  // of q, k and v
  bool mlp_bias = false;
  std::string hidden_act = "silu";
  double initializer_range = 0.02;

  std::optional<std::int32_t> bos_token_id;
  std::set<std::int32_t> eos_token_ids;
  std::optional<std::int32_t> pad_token_id;

  std::string model_type = "llama";  // or "mistral" where no sliding window is active
  std::vector<std::string> architectures = {"LlamaForCausalLM"};
  std::string dtype;  // of the weights in the files: float32, bfloat16, float16 or "" (not said)

  Json raw = Json::object();  // the file; keys that mean nothing here are saved as they came
};

// `folder`/config.json.
ModelConfig read_model_config(const std::string& folder);
ModelConfig parse_model_config(const Json& json, const std::string& source);

// Sizes and numbers in range, heads that divide; throws Error naming `source` and the key. Reading
// calls it; a config made in memory should be put through it before memory is allocated by it.
void check_model_config(const ModelConfig& config, const std::string& source);

// For transformers 5 (dtype, rope_parameters) and 4 (rope_theta, rope_scaling).
Json to_json(const ModelConfig& config);

// generation_config.json: what a model's makers recommend for sampling.
struct GenerationConfig {
  std::optional<std::int32_t> bos_token_id;
  std::set<std::int32_t> eos_token_ids;
  std::optional<std::int32_t> pad_token_id;
  std::optional<double> temperature;
  std::optional<std::int64_t> top_k;
  std::optional<double> top_p;
  Json raw = Json::object();
};

// `folder`/generation_config.json; without that file, a GenerationConfig that says nothing.
GenerationConfig read_generation_config(const std::string& folder);
GenerationConfig parse_generation_config(const Json& json, const std::string& source);
Json to_json(const GenerationConfig& config);

}  // namespace plumb
