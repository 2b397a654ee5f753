#include "core/gguf/t5.h"

#include <cmath>
#include <set>
#include <span>

#include "core/error.h"
#include "core/gguf/model_metadata.h"
#include "core/gguf/tensor_rows.h"

namespace plumb {
namespace {

struct NamePair {
  const char* file;  // within a block
  const char* gguf;
};

constexpr NamePair kSelfAttention[] = {{"layer.0.layer_norm", "attn_norm"},
                                       {"layer.0.SelfAttention.q", "attn_q"},
                                       {"layer.0.SelfAttention.k", "attn_k"},
                                       {"layer.0.SelfAttention.v", "attn_v"},
                                       {"layer.0.SelfAttention.o", "attn_o"}};
constexpr NamePair kCrossAttention[] = {{"layer.1.layer_norm", "cross_attn_norm"},
                                        {"layer.1.EncDecAttention.q", "cross_attn_q"},
                                        {"layer.1.EncDecAttention.k", "cross_attn_k"},
                                        {"layer.1.EncDecAttention.v", "cross_attn_v"},
                                        {"layer.1.EncDecAttention.o", "cross_attn_o"}};
constexpr const char* kRelativeBias = "layer.0.SelfAttention.relative_attention_bias";

std::string feed_forward(const ConfigValues& config) {
  const std::string kind = config.string("feed_forward_proj", "relu");
  if (kind != "relu" && kind != "gated-gelu") {
    config.fail("feed_forward_proj", "must be relu or gated-gelu, which llama.cpp has");
  }
  return kind;
}

std::string linear_name(const LinearSite& site, Stack stack) {
  const std::span<const NamePair> pairs =
      stack == Stack::cross ? std::span<const NamePair>(kCrossAttention) : kSelfAttention;
  for (const NamePair& pair : pairs) {
    if (site.module == pair.file) return pair.gguf;
  }
  if (site.linear == Linear::gate) return "ffn_gate";
  return site.linear == Linear::up ? "ffn_up" : "ffn_down";
}

class T5Planner {
 public:
  T5Planner(const ConfigValues& config, const ShardedModelFiles& files, GgmlType type)
      : config_(config), files_(files), type_(type), is_gated_(feed_forward(config) != "relu") {}

  std::vector<PlannedTensor> plan() {
    add("shared.weight", "token_embd.weight");
    const std::int64_t layers = config_.integer("num_layers");
    add_stack("encoder", "enc", layers);
    add_stack("decoder", "dec", config_.integer("num_decoder_layers", layers));
    add_head();
    check_nothing_is_left();
    return std::move(plan_);
  }

 private:
  ShardedModelFiles::Tensor tensor(const std::string& name) const {
    const auto found = files_.find(name);
    if (!found) throw Error(files_.folder() + ": the model has no tensor '" + name + "'");
    return *found;
  }

  PlannedTensor& add(const std::string& from, const std::string& name, bool is_head = false) {
    PlannedTensor planned{.name = name, .from = tensor(from)};
    planned.shape = planned.from.entry->shape;
    planned.type = stored_type(planned, type_, is_head);
    used_.insert(from);
    plan_.push_back(std::move(planned));
    return plan_.back();
  }

  void add_stack(const std::string& stack, const std::string& prefix, std::int64_t layers) {
    const bool is_decoder = stack == "decoder";
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const std::string number = std::to_string(layer);
      const std::string from = stack + ".block." + number + ".";
      const std::string to = prefix + ".blk." + number + ".";
      const auto add_pair = [&](const NamePair& pair) {
        add(from + pair.file + ".weight", to + pair.gguf + ".weight");
      };
      for (const NamePair& pair : kSelfAttention) add_pair(pair);
      // The first layer's serves them all.
      if (layer == 0) add_pair({kRelativeBias, "attn_rel_b"});
      if (is_decoder) {
        for (const NamePair& pair : kCrossAttention) add_pair(pair);
      }
      add_feed_forward(from + (is_decoder ? "layer.2." : "layer.1."), to);
    }
    add(stack + ".final_layer_norm.weight", prefix + ".output_norm.weight");
  }

  void add_feed_forward(const std::string& from, const std::string& to) {
    add(from + "layer_norm.weight", to + "ffn_norm.weight");
    const std::string dense = from + "DenseReluDense.";
    if (is_gated_) add(dense + "wi_0.weight", to + "ffn_gate.weight");
    add(dense + (is_gated_ ? "wi_1.weight" : "wi.weight"), to + "ffn_up.weight");
    add(dense + "wo.weight", to + "ffn_down.weight");
  }

  // transformers multiplies what goes into the head by d_model^-0.5 unless a config of old says
  // that head and embedding are not tied; whether they are, the files decide.
  void add_head() {
    const bool is_scaled =
        config_.boolean("scale_decoder_outputs", config_.boolean("tie_word_embeddings", true));
    const bool is_tied =
        !files_.find("lm_head.weight") || same_content(files_, "lm_head.weight", "shared.weight");
    used_.insert("lm_head.weight");
    if (is_tied && !is_scaled) return;
    PlannedTensor& head = add(is_tied ? "shared.weight" : "lm_head.weight", "output.weight", true);
    const auto width = static_cast<double>(config_.integer("d_model"));
    if (is_scaled) head.factor = static_cast<float>(1 / std::sqrt(width));
  }

  void check_nothing_is_left() const {
    for (const std::string& name : files_.names()) {
      // Old files hold the embedding again, and a bias between the stacks that T5 never used.
      const bool is_copy =
          name.ends_with(".embed_tokens.weight") && same_content(files_, name, "shared.weight");
      const bool is_unused = name.ends_with("EncDecAttention.relative_attention_bias.weight");
      if (used_.contains(name) || is_copy || is_unused) continue;
      throw Error(files_.folder() + ": tensor '" + name + "' has no place in a GGUF file of t5");
    }
  }

  const ConfigValues& config_;
  const ShardedModelFiles& files_;
  GgmlType type_;
  bool is_gated_;
  std::vector<PlannedTensor> plan_;
  std::set<std::string> used_;
};

}  // namespace

GgufMetadata t5_metadata(const ConfigValues& config, const std::string& name, GgmlType type) {
  constexpr std::int64_t kDistance = 128;
  if (config.integer("relative_attention_max_distance", kDistance) != kDistance) {
    config.fail("relative_attention_max_distance", "must be 128, as llama.cpp has it");
  }
  feed_forward(config);
  const std::int64_t layers = config.integer("num_layers");
  const auto count = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  const auto epsilon = static_cast<float>(config.number("layer_norm_epsilon", 1e-6));
  constexpr std::uint32_t kQuantisationVersion = 2;
  return {{"general.architecture", std::string("t5")},
          {"general.type", std::string("model")},
          {"general.name", name},
          {"general.file_type", file_type_number(type)},
          {"general.quantization_version", kQuantisationVersion},
          {"t5.vocab_size", count(config.integer("vocab_size"))},
          {"t5.context_length", count(config.integer("n_positions", 512))},
          {"t5.embedding_length", count(config.integer("d_model"))},
          {"t5.feed_forward_length", count(config.integer("d_ff"))},
          {"t5.block_count", count(layers)},
          {"t5.decoder_block_count", count(config.integer("num_decoder_layers", layers))},
          {"t5.attention.head_count", count(config.integer("num_heads"))},
          {"t5.attention.key_length", count(config.integer("d_kv"))},
          {"t5.attention.value_length", count(config.integer("d_kv"))},
          {"t5.attention.layer_norm_epsilon", epsilon},
          {"t5.attention.layer_norm_rms_epsilon", epsilon},
          {"t5.attention.relative_buckets_count",
           count(config.integer("relative_attention_num_buckets", 32))},
          {"t5.decoder_start_token_id", count(config.integer("decoder_start_token_id", 0))}};
}

std::vector<GgufLinear> t5_linears(const ModelConfig& config) {
  std::vector<GgufLinear> linears;
  for (const LayerStack& stack : layer_stacks(config)) {
    const std::string side = stack.stack == Stack::encoder ? "enc" : "dec";
    for (std::int64_t layer = stack.first; layer < stack.first + stack.count; ++layer) {
      const std::string to = side + ".blk." + std::to_string(layer - stack.first) + ".";
      for (const LinearSite& site : stack.sites) {
        linears.push_back({stack.prefix(layer) + site.module,
                           to + linear_name(site, stack.stack),
                           {},
                           site.outputs,
                           site.inputs});
      }
    }
  }
  return linears;
}

std::vector<PlannedTensor> plan_t5(const ConfigValues& config, const ShardedModelFiles& files,
                                   GgmlType type) {
  return T5Planner(config, files, type).plan();
}

}  // namespace plumb
