#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "core/io/config_values.h"
#include "core/io/files.h"
#include "core/io/model_config.h"
#include "core/log.h"

namespace plumb {
namespace {

constexpr JsonLimits kConfigLimits = {.max_bytes = std::size_t{1} << 24};

// Keys that change what a model computes, with the one value at which it computes what the decoder
// does. All but the first few come from relatives of Llama that keep its model_type or copy its
// files; null is the same as not given.
struct Neutral {
  const char* key;
  const char* value;  // JSON
};
constexpr std::array<Neutral, 21> kNeutral = {{{"hidden_act", "\"silu\""},
                                               {"attention_bias", "false"},
                                               {"mlp_bias", "false"},
                                               {"is_encoder_decoder", "false"},
                                               {"add_cross_attention", "false"},
                                               {"use_sliding_window", "false"},
                                               {"partial_rotary_factor", "1.0"},
                                               {"rope_interleaved", "false"},
                                               {"use_qk_norm", "false"},
                                               {"qk_norm", "false"},
                                               {"no_rope_layers", "[]"},
                                               {"clip_qkv", "null"},
                                               {"num_local_experts", "null"},
                                               {"num_experts", "null"},
                                               {"attn_logit_softcapping", "null"},
                                               {"final_logit_softcapping", "null"},
                                               {"embedding_multiplier", "1.0"},
                                               {"residual_multiplier", "1.0"},
                                               {"logits_scaling", "1.0"},
                                               {"attention_multiplier", "null"},
                                               {"quantization_config", "null"}}};

void refuse_what_changes_the_model(const ConfigValues& values) {
  for (const Neutral& neutral : kNeutral) {
    if (values.has(neutral.key) && *values.find(neutral.key) != Json::parse(neutral.value)) {
      values.fail(neutral.key, std::string("is supported only as ") + neutral.value);
    }
  }
  const Json* layers = values.find("layer_types");
  if (layers == nullptr || layers->is_null()) return;
  if (!layers->is_array()) values.fail("layer_types", "must be a list");
  for (const Json& layer : *layers) {
    if (layer != "full_attention") {
      values.fail("layer_types", "is supported only as \"full_attention\" in every layer");
    }
  }
}

void warn_of_code_references(const ConfigValues& values) {
  for (const char* key :
       {"auto_map", "_attn_implementation", "_attn_implementation_internal", "trust_remote_code"}) {
    if (values.has(key)) {
      log::warning(values.source() + ": " + key + " is ignored: no code is loaded from a model");
    }
  }
}

void read_model_type(const ConfigValues& values, ModelConfig& config) {
  config.model_type = values.string("model_type", "");
  if (config.model_type != "llama" && config.model_type != "mistral") {
    values.fail("model_type", "is not supported (llama and mistral are)");
  }
  const Json* names = values.find("architectures");
  const bool has_names = names != nullptr && names->is_array() && !names->empty();
  const char* usual = config.model_type == "llama" ? "LlamaForCausalLM" : "MistralForCausalLM";
  config.architectures = {usual};
  if (!has_names) return;
  config.architectures.clear();
  for (const Json& name : *names) {
    if (!name.is_string()) values.fail("architectures", "must be a list of strings");
    config.architectures.push_back(name.get<std::string>());
  }
}

void read_sizes(const ConfigValues& values, ModelConfig& config) {
  // Mistral's own defaults differ from Llama's, so there these keys must be given.
  const bool is_llama = config.model_type == "llama";
  config.vocab_size = values.integer("vocab_size");
  config.hidden_size = values.integer("hidden_size");
  config.intermediate_size = values.integer("intermediate_size");
  config.num_hidden_layers = values.integer("num_hidden_layers");
  config.num_attention_heads = values.integer("num_attention_heads");
  config.num_key_value_heads =
      is_llama || values.has("num_key_value_heads")
          ? values.integer("num_key_value_heads", config.num_attention_heads)
          : values.integer("num_key_value_heads");
  config.max_position_embeddings = is_llama ? values.integer("max_position_embeddings", 2048)
                                            : values.integer("max_position_embeddings");
  if (values.has("head_dim")) {
    config.head_dim = values.integer("head_dim");
  } else if (config.num_attention_heads > 0) {
    if (config.hidden_size % config.num_attention_heads != 0) {
      values.fail("num_attention_heads", "must divide hidden_size (" +
                                             std::to_string(config.hidden_size) +
                                             ") when head_dim is not given");
    }
    config.head_dim = config.hidden_size / config.num_attention_heads;
  }
  config.rotary_dim = config.head_dim;
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
}

void refuse_active_window(const ConfigValues& values, const ModelConfig& config) {
  constexpr std::int64_t kMistralDefault = 4096;  // MistralConfig, when the key is missing
  const bool is_missing = values.find("sliding_window") == nullptr;
  const bool is_off = is_missing ? config.model_type != "mistral" : !values.has("sliding_window");
  if (is_off) return;
  const std::int64_t window = values.integer("sliding_window", kMistralDefault);
  if (window < config.max_position_embeddings) {
    values.fail("sliding_window",
                "is supported only as null or at least max_position_embeddings (" +
                    std::to_string(config.max_position_embeddings) + ")");
  }
}

void read_rope_fields(const ConfigValues& rope, ModelConfig& config) {
  const char* type_key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.string(type_key, "default");
  config.rope_theta = rope.number("rope_theta", config.rope_theta);
  if (rope.has("partial_rotary_factor") && rope.number("partial_rotary_factor") != 1.0) {
    rope.fail("partial_rotary_factor", "is supported only as 1.0");
  }
  if (type == "default") return;
  if (type != "llama3") rope.fail(type_key, "is not supported (default and llama3 are)");
  RopeScaling& scaling = config.rope_scaling;
  scaling.type = RopeType::llama3;
  scaling.factor = rope.number("factor");
  scaling.low_freq_factor = rope.number("low_freq_factor");
  scaling.high_freq_factor = rope.number("high_freq_factor");
  scaling.original_max_position_embeddings = rope.integer("original_max_position_embeddings");
}

void refuse_unknown_rope_keys(const Json& rope, const ConfigValues& values) {
  constexpr std::array<std::string_view, 8> kKnown = {"rope_theta",
                                                      "rope_type",
                                                      "type",
                                                      "factor",
                                                      "low_freq_factor",
                                                      "high_freq_factor",
                                                      "partial_rotary_factor",
                                                      "original_max_position_embeddings"};
  for (const auto& [key, value] : rope.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end() && !value.is_null()) {
      values.fail(key.c_str(), "is not supported");
    }
  }
}

// transformers 4: rope_theta beside rope_scaling; 5: all in rope_parameters.
void read_rope(const ConfigValues& values, ModelConfig& config) {
  config.rope_theta = values.number("rope_theta", config.rope_theta);
  const double theta_beside = config.rope_theta;
  const char* key = values.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!values.has(key)) return;
  const Json& json = *values.find(key);
  const ConfigValues rope(json, values.source(), std::string(key) + ".");
  refuse_unknown_rope_keys(json, rope);
  read_rope_fields(rope, config);
  if (values.has("rope_theta") && theta_beside != config.rope_theta) {
    values.fail("rope_theta", "must agree with " + std::string(key) + ".rope_theta (" +
                                  std::to_string(config.rope_theta) + ")");
  }
}

void read_dtype(const ConfigValues& values, ModelConfig& config) {
  const char* key = values.has("dtype") ? "dtype" : "torch_dtype";
  config.dtype = values.string(key, "");
  const bool is_known = config.dtype.empty() || config.dtype == "float32" ||
                        config.dtype == "bfloat16" || config.dtype == "float16";
  if (!is_known) values.fail(key, "is not supported (float32, bfloat16 and float16 are)");
}

void read_ids(const ConfigValues& values, ModelConfig& config) {
  // What LlamaConfig and MistralConfig take when these keys are missing.
  config.bos_token_id = values.id("bos_token_id", 1);
  config.eos_token_ids = values.ids("eos_token_id", {2});
  // The first Llama files say -1 for none.
  const bool has_pad = values.has("pad_token_id") && values.integer("pad_token_id") >= 0;
  if (has_pad) config.pad_token_id = values.id("pad_token_id", std::nullopt);
}

}  // namespace

ModelConfig parse_model_config(const Json& json, const std::string& source) {
  const ConfigValues values(json, source);
  ModelConfig config;
  read_model_type(values, config);
  refuse_what_changes_the_model(values);
  read_sizes(values, config);
  refuse_active_window(values, config);
  read_rope(values, config);
  read_dtype(values, config);
  config.norm_eps = values.number("rms_norm_eps", config.norm_eps);
  config.initializer_range = values.number("initializer_range", config.initializer_range);
  config.tie_word_embeddings = values.boolean("tie_word_embeddings", false);
  read_ids(values, config);
  config.raw = json;
  check_model_config(config, source);
  warn_of_code_references(values);
  return config;
}

ModelConfig read_model_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return parse_model_config(read_json(path, kConfigLimits), path);
}

GenerationConfig parse_generation_config(const Json& json, const std::string& source) {
  const ConfigValues values(json, source);
  GenerationConfig config;
  config.bos_token_id = values.id("bos_token_id", std::nullopt);
  config.eos_token_ids = values.ids("eos_token_id", {});
  config.pad_token_id = values.id("pad_token_id", std::nullopt);
  if (values.has("temperature")) config.temperature = values.number("temperature");
  if (values.has("top_k")) config.top_k = values.integer("top_k");
  if (values.has("top_p")) config.top_p = values.number("top_p");
  if (config.temperature && *config.temperature < 0) {
    values.fail("temperature", "must be at least 0");
  }
  if (config.top_k && *config.top_k < 0) values.fail("top_k", "must be at least 0");
  if (config.top_p && !(*config.top_p > 0 && *config.top_p <= 1)) {
    values.fail("top_p", "must be above 0 and at most 1");
  }
  config.raw = json;
  return config;
}

GenerationConfig read_generation_config(const std::string& folder) {
  const std::string path = folder + "/generation_config.json";
  if (!files::exists(path)) return {};
  return parse_generation_config(read_json(path, kConfigLimits), path);
}

}  // namespace plumb
