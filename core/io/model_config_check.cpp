#include <cmath>
#include <initializer_list>
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
  if (config.positions != Positions::rope) return;
  const bool is_good =
      config.rotary_dim >= 2 && config.rotary_dim % 2 == 0 && config.rotary_dim <= config.head_dim;
  if (is_good) return;
  fail(source,
       "head_dim, or the part of it that rotary positions turn, must be even, as they turn pairs; "
       "they are " +
           std::to_string(config.head_dim) + " and " + std::to_string(config.rotary_dim));
}

// Buckets halve twice: for the two directions, and into exact and logarithmic ones.
void check_two_stacks(const ModelConfig& config, const std::string& source) {
  if (config.positions == Positions::relative) {
    const bool is_good = config.relative_buckets >= 4 && config.relative_buckets <= 65'536 &&
                         config.relative_buckets % 4 == 0 &&
                         config.relative_max_distance > config.relative_buckets / 2 &&
                         config.relative_max_distance <= (1 << 24);
    if (!is_good) {
      fail(source,
           "relative_attention_num_buckets must be a multiple of 4 up to 65536, and "
           "relative_attention_max_distance above half of it; they are " +
               std::to_string(config.relative_buckets) + " and " +
               std::to_string(config.relative_max_distance));
    }
  }
  if (!config.is_encoder_decoder) return;
  if (config.num_encoder_layers < 1 || config.num_encoder_layers > 10'000) {
    fail(source,
         "num_layers must be from 1 to 10000; it is " + std::to_string(config.num_encoder_layers));
  }
}

void check_windows(const ModelConfig& config, const std::string& source) {
  if (config.windows.empty()) return;
  if (config.windows.size() != static_cast<std::size_t>(config.num_hidden_layers)) {
    fail(source, "windows must be one a layer (" + std::to_string(config.num_hidden_layers) +
                     "); they are " + std::to_string(config.windows.size()));
  }
  for (const std::int64_t window : config.windows) {
    if (window >= 0 && window <= std::numeric_limits<std::int32_t>::max()) continue;
    fail(source, "sliding_window must be at least 1; it is " + std::to_string(window));
  }
}

void check_numbers(const ModelConfig& config, const std::string& source) {
  const NumberRule positive[] = {
      {"rms_norm_eps or layer_norm_eps", config.norm_eps, 1.0},
      {"rope_theta", config.rope_theta, 1e18},
      {"initializer_range", config.initializer_range, 100.0},
      {"the scale of attention scores", config.attention_scale, 1e6},
      {"the scale of embeddings", config.embedding_scale, 1e6},
      {"the scale of hidden states", config.hidden_scale, 1e6},
  };
  for (const NumberRule& rule : positive) {
    if (rule.value > 0 && rule.value <= rule.maximum) continue;
    fail(source, std::string(rule.key) + " must be above 0 and at most " +
                     Json(rule.maximum).dump() + "; it is " + shown(rule.value));
  }
  const NumberRule caps[] = {{"attn_logit_softcapping", config.attention_softcap, 1e9},
                             {"final_logit_softcapping", config.logits_softcap, 1e9}};
  for (const NumberRule& rule : caps) {
    if (rule.value >= 0 && rule.value <= rule.maximum) continue;
    fail(source, std::string(rule.key) + " must be from 0 to " + Json(rule.maximum).dump() +
                     "; it is " + shown(rule.value));
  }
}

[[noreturn]] void fail_scaling(const std::string& source, const std::string& rule,
                               std::initializer_list<double> received) {
  std::string list;
  for (const double value : received) list += (list.empty() ? "" : ", ") + shown(value);
  fail(source, rule + "; they are " + list);
}

void check_scaling(const RopeScaling& scaling, const std::string& source) {
  if (scaling.type == RopeType::standard) return;
  const auto original = static_cast<double>(scaling.original_max_position_embeddings);
  const bool has_factor = std::isfinite(scaling.factor) && scaling.factor >= 1.0;
  if (scaling.type == RopeType::llama3) {
    const bool is_good = has_factor && scaling.low_freq_factor > 0 &&
                         scaling.high_freq_factor > scaling.low_freq_factor &&
                         std::isfinite(scaling.high_freq_factor) && original >= 1;
    if (is_good) return;
    fail_scaling(source,
                 "llama3 rope scaling needs factor >= 1, 0 < low_freq_factor < high_freq_factor "
                 "and original_max_position_embeddings >= 1",
                 {scaling.factor, scaling.low_freq_factor, scaling.high_freq_factor, original});
  }
  if (scaling.type == RopeType::yarn) {
    const bool is_good = has_factor && scaling.beta_slow > 0 &&
                         scaling.beta_fast >= scaling.beta_slow &&
                         std::isfinite(scaling.beta_fast) && scaling.attention_factor > 0 &&
                         std::isfinite(scaling.attention_factor) && original >= 1;
    if (is_good) return;
    fail_scaling(
        source,
        "yarn rope scaling needs factor >= 1, 0 < beta_slow <= beta_fast, "
        "attention_factor > 0 and original_max_position_embeddings >= 1",
        {scaling.factor, scaling.beta_slow, scaling.beta_fast, scaling.attention_factor, original});
  }
  if (!has_factor) fail_scaling(source, "rope scaling needs factor >= 1", {scaling.factor});
}

void check_id(const char* key, std::int64_t id, const ModelConfig& config,
              const std::string& source) {
  if (id >= 0 && id < config.vocab_size) return;
  fail(source, std::string(key) + " must be below vocab_size (" +
                   std::to_string(config.vocab_size) + "); it is " + std::to_string(id));
}

}  // namespace

void set_head_dim(std::int64_t head_dim, ModelConfig& config) {
  config.head_dim = head_dim;
  config.rotary_dim = config.positions == Positions::rope ? head_dim : 0;
  config.attention_scale = head_dim > 0 ? 1.0 / std::sqrt(static_cast<double>(head_dim)) : 0.0;
}

void check_model_config(const ModelConfig& config, const std::string& source) {
  check_sizes(config, source);
  check_heads(config, source);
  check_two_stacks(config, source);
  check_windows(config, source);
  check_numbers(config, source);
  check_scaling(config.rope_scaling, source);
  // Not pad_token_id: published models have it beyond the vocabulary, and nothing here uses it.
  for (const std::int32_t id : config.eos_token_ids) check_id("eos_token_id", id, config, source);
  if (config.bos_token_id) check_id("bos_token_id", *config.bos_token_id, config, source);
  check_id("decoder_start_token_id", config.decoder_start_token_id, config, source);
}

}  // namespace plumb
