#include "core/gguf/model_metadata.h"

#include <cmath>

#include "core/error.h"

namespace plumb {
namespace {

// Adds keys under the architecture's name.
class Keys {
 public:
  Keys(GgufMetadata& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(std::string(architecture) + ".") {}

  void integer(const char* key, std::int64_t value) {
    metadata_.emplace_back(prefix_ + key, static_cast<std::uint32_t>(value));
  }
  void number(const char* key, double value) {
    metadata_.emplace_back(prefix_ + key, static_cast<float>(value));
  }
  void string(const char* key, const std::string& value) {
    metadata_.emplace_back(prefix_ + key, value);
  }

 private:
  GgufMetadata& metadata_;
  std::string prefix_;
};

[[noreturn]] void refuse(const std::string& problem) {
  throw Error("export --format gguf: llama.cpp " + problem);
}

void put_yarn(const RopeScaling& scaling, Keys& keys) {
  if (scaling.beta_fast != 32 || scaling.beta_slow != 1 || !scaling.truncate) {
    refuse("computes yarn with beta_fast 32, beta_slow 1 and truncate true only");
  }
  keys.string("rope.scaling.type", "yarn");
  keys.number("rope.scaling.factor", scaling.factor);
  keys.integer("rope.scaling.original_context_length", scaling.original_max_position_embeddings);
  // llama.cpp multiplies by 1 + 0.1 ln(factor), the usual attention_factor, by itself.
  const double usual = 1 + 0.1 * std::log(scaling.factor);
  if (std::fabs(scaling.attention_factor / usual - 1) > 1e-6) {
    keys.number("rope.scaling.attn_factor", scaling.attention_factor / usual);
  }
}

void put_rope(const ModelConfig& config, Keys& keys) {
  if (config.positions != Positions::rope) return;
  keys.integer("rope.dimension_count", config.rotary_dim);
  keys.number("rope.freq_base", config.rope_theta);
  switch (config.rope_scaling.type) {
    case RopeType::standard:
    case RopeType::llama3:  // a tensor of factors instead
      return;
    case RopeType::linear:
      keys.string("rope.scaling.type", "linear");
      return keys.number("rope.scaling.factor", config.rope_scaling.factor);
    case RopeType::yarn:
      return put_yarn(config.rope_scaling, keys);
    case RopeType::dynamic:
      refuse("has no dynamic rope scaling");
  }
}

// What the graph has fixed. Gemma 2's scale of attention goes by rules of its own, checked there.
void check_options(const ModelConfig& config, const GgufArchitecture& architecture) {
  const bool has_caps = config.attention_softcap != 0 || config.logits_softcap != 0;
  if (has_caps && !architecture.has_soft_caps) refuse("has soft caps for Gemma 2 only");
  const double wanted =
      architecture.scales_embeddings ? std::sqrt(static_cast<double>(config.hidden_size)) : 1.0;
  if (std::fabs(config.embedding_scale / wanted - 1) > 1e-2) {  // transformers rounds it to bf16
    refuse("multiplies the embeddings of " + std::string(architecture.name) + " by " +
           std::to_string(wanted));
  }
  const double scale = config.attention_scale * std::sqrt(static_cast<double>(config.head_dim));
  if (architecture.name != "gemma2" && std::fabs(scale - 1) > 1e-6) {
    refuse("scales attention by head_dim^-0.5");
  }
}

}  // namespace

std::uint32_t file_type_number(GgmlType type) {
  switch (type) {
    case GgmlType::f32:
      return 0;
    case GgmlType::f16:
      return 1;
    case GgmlType::q4_0:
      return 2;
    case GgmlType::q8_0:
      return 7;
    case GgmlType::bf16:
      return 32;
  }
  return 0;
}

GgufMetadata model_metadata(const ModelConfig& config, const GgufArchitecture& architecture,
                            const std::string& name, GgmlType type) {
  check_options(config, architecture);
  constexpr std::uint32_t kQuantisationVersion = 2;
  GgufMetadata metadata = {{"general.architecture", std::string(architecture.name)},
                           {"general.type", std::string("model")},
                           {"general.name", name},
                           {"general.file_type", file_type_number(type)},
                           {"general.quantization_version", kQuantisationVersion}};
  Keys keys(metadata, architecture.name);
  keys.integer("vocab_size", config.vocab_size);
  keys.integer("context_length", config.max_position_embeddings);
  keys.integer("embedding_length", config.hidden_size);
  keys.integer("block_count", config.num_hidden_layers);
  keys.integer("feed_forward_length", config.intermediate_size);
  keys.integer("attention.head_count", config.num_attention_heads);
  keys.integer("attention.head_count_kv", config.num_key_value_heads);
  keys.integer("attention.key_length", config.head_dim);
  keys.integer("attention.value_length", config.head_dim);
  keys.number(config.norm == Norm::layer ? "attention.layer_norm_epsilon"
                                         : "attention.layer_norm_rms_epsilon",
              config.norm_eps);
  put_rope(config, keys);
  if (architecture.own_keys != nullptr) architecture.own_keys(config, metadata);
  return metadata;
}

}  // namespace plumb
