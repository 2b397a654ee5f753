// Any bytes: plumb::Error, or a config.json or generation_config.json that saves as it reads and
// whose sizes nothing that is computed from them overflows.
#include <cstdlib>

#include "core/error.h"
#include "core/io/model_config.h"

namespace {

using plumb::Json;

void check_sizes(const plumb::ModelConfig& config) {
  const auto is_positive = [](std::int64_t value) { return value > 0; };
  if (!is_positive(config.vocab_size) || !is_positive(config.hidden_size) ||
      !is_positive(config.num_hidden_layers) || !is_positive(config.num_attention_heads) ||
      !is_positive(config.num_key_value_heads) || !is_positive(config.head_dim)) {
    std::abort();
  }
  if (config.num_attention_heads % config.num_key_value_heads != 0) std::abort();
  // UndefinedBehaviorSanitizer sees an overflow.
  volatile std::int64_t largest = config.vocab_size * config.hidden_size;
  largest = config.intermediate_size * config.hidden_size;
  largest = config.num_attention_heads * config.head_dim * config.hidden_size;
  largest = config.max_position_embeddings * config.head_dim;
  static_cast<void>(largest);
}

void check_model_config_of(const Json& json) {
  plumb::ModelConfig config;
  try {
    config = plumb::parse_model_config(json, "fuzz");
  } catch (const plumb::Error&) {
    return;
  }
  check_sizes(config);
  // What was accepted must be accepted as it is saved, and mean the same.
  const Json saved = plumb::to_json(config);
  if (plumb::to_json(plumb::parse_model_config(saved, "saved")) != saved) std::abort();
}

void check_generation_config_of(const Json& json) {
  plumb::GenerationConfig config;
  try {
    config = plumb::parse_generation_config(json, "fuzz");
  } catch (const plumb::Error&) {
    return;
  }
  const Json saved = plumb::to_json(config);
  if (plumb::to_json(plumb::parse_generation_config(saved, "saved")) != saved) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Json json;
  try {
    json = plumb::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const plumb::Error&) {
    return 0;
  }
  check_model_config_of(json);
  check_generation_config_of(json);
  return 0;
}
