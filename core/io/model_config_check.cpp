#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/io/model_config.h"

namespace plumb {
namespace {

struct SizeRule {
  const char* key;
  std::int64_t value;
  std::int64_t maximum;
};

struct NumberRule {
  const char* key;
  double value;
  double maximum;
};

std::string shown(double value) {
  return std::isfinite(value) ? Json(value).dump() : std::to_string(value);
}

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(source + ": " + problem);
}

// Far above any model known, far below what would overflow a product of two of them.
void check_sizes(const ModelConfig& config, const std::string& source) {
  constexpr std::int64_t kWidth = std::int64_t{1} << 20;
  const SizeRule rules[] = {
      {"vocab_size", config.vocab_size, std::int64_t{1} << 24},
      {"hidden_size", config.hidden_size, kWidth},
      {"intermediate_size", config.intermediate_size, kWidth * 8},
      {"num_hidden_layers", config.num_hidden_layers, 10'000},
      {"num_attention_heads", config.num_attention_heads, 65'536},
      {"num_key_value_heads", config.num_key_value_heads, 65'536},
      {"head_dim", config.head_dim, 65'536},
      {"max_position_embeddings", config.max_position_embeddings,
       std::numeric_limits<std::int32_t>::max()},
  };
  for (const SizeRule& rule : rules) {
    if (rule.value >= 1 && rule.value <= rule.maximum) continue;
    fail(source, std::string(rule.key) + " must be from 1 to " + std::to_string(rule.maximum) +
                     "; it is " + std::to_string(rule.value));
  }
}

void check_heads(const ModelConfig& config, const std::string& source) {
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    fail(source, "num_key_value_heads must divide num_attention_heads (" +
                     std::to_string(config.num_attention_heads) + "); it is " +
                     std::to_string(config.num_key_value_heads));
  }
  if (config.head_dim % 2 != 0) {
    fail(source, "head_dim must be even, as rotary positions turn pairs; it is " +
                     std::to_string(config.head_dim));
  }
}

void check_numbers(const ModelConfig& config, const std::string& source) {
  const NumberRule rules[] = {
      {"rms_norm_eps", config.norm_eps, 1.0},
      {"rope_theta", config.rope_theta, 1e18},
      {"initializer_range", config.initializer_range, 100.0},
  };
  for (const NumberRule& rule : rules) {
    if (rule.value > 0 && rule.value <= rule.maximum) continue;
    fail(source, std::string(rule.key) + " must be above 0 and at most " +
                     Json(rule.maximum).dump() + "; it is " + shown(rule.value));
  }
}

void check_scaling(const RopeScaling& scaling, const std::string& source) {
  if (scaling.type == RopeType::standard) return;
  const bool is_good =
      std::isfinite(scaling.factor) && scaling.factor >= 1.0 && scaling.low_freq_factor > 0 &&
      scaling.high_freq_factor > scaling.low_freq_factor &&
      std::isfinite(scaling.high_freq_factor) && scaling.original_max_position_embeddings >= 1;
  if (is_good) return;
  fail(source,
       "llama3 rope scaling needs factor >= 1, 0 < low_freq_factor < high_freq_factor and "
       "original_max_position_embeddings >= 1; they are " +
           shown(scaling.factor) + ", " + shown(scaling.low_freq_factor) + ", " +
           shown(scaling.high_freq_factor) + " and " +
           std::to_string(scaling.original_max_position_embeddings));
}

void check_id(const char* key, std::int64_t id, const ModelConfig& config,
              const std::string& source) {
  if (id >= 0 && id < config.vocab_size) return;
  fail(source, std::string(key) + " must be below vocab_size (" +
                   std::to_string(config.vocab_size) + "); it is " + std::to_string(id));
}

}  // namespace

void check_model_config(const ModelConfig& config, const std::string& source) {
  check_sizes(config, source);
  check_heads(config, source);
  check_numbers(config, source);
  check_scaling(config.rope_scaling, source);
  // Not pad_token_id: published models have it beyond the vocabulary, and nothing here uses it.
  for (const std::int32_t id : config.eos_token_ids) check_id("eos_token_id", id, config, source);
  if (config.bos_token_id) check_id("bos_token_id", *config.bos_token_id, config, source);
}

}  // namespace plumb
