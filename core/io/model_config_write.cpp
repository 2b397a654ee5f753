#include "core/io/model_config.h"

namespace plumb {
namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json ids_json(const std::set<std::int32_t>& ids) {
  if (ids.empty()) return nullptr;
  if (ids.size() == 1) return *ids.begin();
  return ids;
}

Json scaling_json(const RopeScaling& scaling) {
  if (scaling.type == RopeType::standard) return Json{{"rope_type", "default"}};
  return Json{{"rope_type", "llama3"},
              {"factor", scaling.factor},
              {"low_freq_factor", scaling.low_freq_factor},
              {"high_freq_factor", scaling.high_freq_factor},
              {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
}

// transformers 5 reads rope_parameters, 4 the other two; they say the same.
void put_rope(const ModelConfig& config, Json& json) {
  const bool is_scaled = config.rope_scaling.type != RopeType::standard;
  json["rope_theta"] = config.rope_theta;
  json["rope_scaling"] = is_scaled ? scaling_json(config.rope_scaling) : Json(nullptr);
  Json parameters = scaling_json(config.rope_scaling);
  parameters["rope_theta"] = config.rope_theta;
  json["rope_parameters"] = parameters;
}

}  // namespace

Json to_json(const ModelConfig& config) {
  Json json = config.raw;
  // References to code that does not lie in the folder being written.
  for (const char* key :
       {"auto_map", "_attn_implementation", "_attn_implementation_internal", "torch_dtype"}) {
    json.erase(key);
  }
  json["architectures"] = config.architectures;
  json["model_type"] = config.model_type;
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_attention_heads"] = config.num_attention_heads;
  json["num_key_value_heads"] = config.num_key_value_heads;
  json["head_dim"] = config.head_dim;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["hidden_act"] = "silu";
  json["rms_norm_eps"] = config.norm_eps;
  json["initializer_range"] = config.initializer_range;
  put_rope(config, json);
  json["attention_bias"] = config.has_qkv_bias;
  json["mlp_bias"] = config.has_mlp_bias;
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["bos_token_id"] = or_null(config.bos_token_id);
  json["eos_token_id"] = ids_json(config.eos_token_ids);
  json["pad_token_id"] = or_null(config.pad_token_id);
  // MistralConfig takes a missing key for a window of 4096.
  if (config.model_type == "mistral" && !json.contains("sliding_window")) {
    json["sliding_window"] = nullptr;
  }
  if (!config.dtype.empty()) json["dtype"] = config.dtype;
  return json;
}

Json to_json(const GenerationConfig& config) {
  Json json = config.raw;
  json["bos_token_id"] = or_null(config.bos_token_id);
  json["eos_token_id"] = ids_json(config.eos_token_ids);
  json["pad_token_id"] = or_null(config.pad_token_id);
  const auto put = [&json](const char* key, const auto& value) {
    if (value) {
      json[key] = *value;
    } else {
      json.erase(key);
    }
  };
  put("temperature", config.temperature);
  put("top_k", config.top_k);
  put("top_p", config.top_p);
  return json;
}

}  // namespace plumb
