#include <algorithm>
#include <cmath>

#include "core/io/families/llama_like.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {.bos = 2, .eos = {1}, .is_tied = true},
                                       .head_dim = 256,
                                       .activation_key = "hidden_activation",
                                       .activation = "gelu_pytorch_tanh"};
  return values;
}

// A cap left out is the class's; null is none.
double read_cap(const ConfigValues& values, const char* key, double otherwise) {
  return values.find(key) == nullptr ? otherwise : values.number(key, 0.0);
}

// Scores are divided by its root.
double read_score_scalar(const ConfigValues& values) {
  constexpr const char* kKey = "query_pre_attn_scalar";
  constexpr double kLargest = 1 << 20;
  const double scalar = values.number(kKey, 256.0);
  if (!(scalar >= 1.0 && scalar <= kLargest)) values.fail(kKey, "must be from 1 to 1048576");
  return scalar;
}

// Whole in every published file; the root and its square need not give the same bits back.
Json score_scalar_json(double attention_scale) {
  constexpr double kRounding = 1e-9;
  const double scalar = 1.0 / (attention_scale * attention_scale);
  const double whole = std::round(scalar);
  if (std::abs(scalar - whole) > kRounding * scalar) return scalar;
  return static_cast<std::int64_t>(whole);
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"use_bidirectional_attention", "false"}};
  refuse_other_values(values, kNeutral);
  read_llama_like(values, defaults(), config);
  config.norm = Norm::rms_one_plus;
  config.has_post_norms = true;
  config.has_qkv_bias = config.has_o_bias = values.boolean("attention_bias", false);
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.attention_scale = 1.0 / std::sqrt(read_score_scalar(values));
  config.attention_softcap = read_cap(values, "attn_logit_softcapping", 50.0);
  config.logits_softcap = read_cap(values, "final_logit_softcapping", 30.0);
  set_windows(
      values, values.integer("sliding_window", 4096),
      [](const ConfigValues&, std::int64_t layer) { return layer % 2 == 0; }, config);
}

Json cap_json(double cap) {
  return cap > 0 ? Json(cap) : Json(nullptr);
}

void write(const ModelConfig& config, Json& json) {
  write_llama_like(config, defaults(), json);
  json["attention_bias"] = config.has_qkv_bias;
  json["attn_logit_softcapping"] = cap_json(config.attention_softcap);
  json["final_logit_softcapping"] = cap_json(config.logits_softcap);
  json["query_pre_attn_scalar"] = score_scalar_json(config.attention_scale);
  json["layer_types"] = layer_types_of(config);
  if (!config.windows.empty()) {
    json["sliding_window"] = *std::max_element(config.windows.begin(), config.windows.end());
  }
}

TensorNames names(const ModelConfig&) {
  TensorNames names = llama_names();
  names.norms = {{NormSite::attention, "input_layernorm"},
                 {NormSite::after_attention, "post_attention_layernorm"},
                 {NormSite::mlp, "pre_feedforward_layernorm"},
                 {NormSite::after_mlp, "post_feedforward_layernorm"}};
  return names;
}

}  // namespace

constinit const Family kGemma2 = {"gemma2",
                                  "Gemma2ForCausalLM",
                                  "Gemma2ForSequenceClassification",
                                  "Gemma 2 2B, 9B, 27B",
                                  read,
                                  write,
                                  names};

}  // namespace plumb
