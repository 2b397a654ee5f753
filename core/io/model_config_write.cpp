#include "core/io/family.h"
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
  json["initializer_range"] = config.initializer_range;
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["bos_token_id"] = or_null(config.bos_token_id);
  json["eos_token_id"] = ids_json(config.eos_token_ids);
  json["pad_token_id"] = or_null(config.pad_token_id);
  family_of(config).write(config, json);
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
