#include "core/error.h"
#include "core/io/config_values.h"
#include "core/io/families/keys.h"
#include "core/io/family.h"
#include "core/io/files.h"
#include "core/io/model_config.h"
#include "core/log.h"

namespace plumb {
namespace {

constexpr JsonLimits kConfigLimits = {.max_bytes = std::size_t{1} << 24};

// Keys that no family's config class reads, but that relatives which keep a model_type or copy its
// files compute by.
constexpr Neutral kNeutral[] = {{"add_cross_attention", "false"}, {"rope_interleaved", "false"},
                                {"use_qk_norm", "false"},         {"qk_norm", "false"},
                                {"no_rope_layers", "[]"},         {"clip_qkv", "null"},
                                {"num_local_experts", "null"},    {"num_experts", "null"},
                                {"embedding_multiplier", "1.0"},  {"residual_multiplier", "1.0"},
                                {"logits_scaling", "1.0"},        {"attention_multiplier", "null"},
                                {"quantization_config", "null"}};
// What a family is, whatever its files say.
constexpr Neutral kOneStack[] = {{"is_encoder_decoder", "false"}};
constexpr Neutral kTwoStacks[] = {{"is_encoder_decoder", "true"}};
// Gemma 2's, which others' classes do not read.
constexpr Neutral kNoCaps[] = {{"attn_logit_softcapping", "null"},
                               {"final_logit_softcapping", "null"}};

void warn_of_code_references(const ConfigValues& values) {
  for (const char* key :
       {"auto_map", "_attn_implementation", "_attn_implementation_internal", "trust_remote_code"}) {
    if (values.has(key)) {
      log::warning(values.source() + ": " + key + " is ignored: no code is loaded from a model");
    }
  }
}

const Family& read_family(const ConfigValues& values, ModelConfig& config) {
  config.model_type = values.string("model_type", "");
  const Family* family = find_family(config.model_type);
  if (family == nullptr) {
    values.fail("model_type", "is not supported (" + family_names() + " are)");
  }
  config.architectures = {std::string(family->causal_lm)};
  const Json* names = values.find("architectures");
  if (names == nullptr || !names->is_array() || names->empty()) return *family;
  config.architectures.clear();
  for (const Json& name : *names) {
    if (!name.is_string()) values.fail("architectures", "must be a list of strings");
    config.architectures.push_back(name.get<std::string>());
  }
  return *family;
}

void read_dtype(const ConfigValues& values, ModelConfig& config) {
  const char* key = values.has("dtype") ? "dtype" : "torch_dtype";
  config.dtype = values.string(key, "");
  const bool is_known = config.dtype.empty() || config.dtype == "float32" ||
                        config.dtype == "bfloat16" || config.dtype == "float16";
  if (!is_known) values.fail(key, "is not supported (float32, bfloat16 and float16 are)");
}

}  // namespace

ModelConfig parse_model_config(const Json& json, const std::string& source) {
  const ConfigValues values(json, source);
  ModelConfig config;
  const Family& family = read_family(values, config);
  refuse_other_values(values, kNeutral);
  config.vocab_size = values.integer("vocab_size");
  config.initializer_range = values.number("initializer_range", config.initializer_range);
  read_dtype(values, config);
  family.read(values, config);
  refuse_other_values(values, config.is_encoder_decoder ? kTwoStacks : kOneStack);
  if (config.attention_softcap == 0 && config.logits_softcap == 0) {
    refuse_other_values(values, kNoCaps);
  }
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
