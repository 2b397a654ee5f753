#include <cmath>

#include "core/io/families/llama_like.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {.bos = 2, .eos = {1}, .is_tied = true},
                                       .head_dim = 256,
                                       .activation = "gelu_pytorch_tanh"};
  return values;
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"use_bidirectional_attention", "false"},
                                         {"hidden_activation", "\"gelu_pytorch_tanh\""}};
  refuse_other_values(values, kNeutral);
  read_llama_like(values, defaults(), config);
  // The first files say gelu and mean the tanh form, as GemmaConfig knows.
  if (config.activation == Activation::gelu) config.activation = Activation::gelu_tanh;
  config.norm = Norm::rms_one_plus;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.has_qkv_bias = config.has_o_bias = values.boolean("attention_bias", false);
}

void write(const ModelConfig& config, Json& json) {
  const bool says_gelu = json.value("hidden_act", Json()) == "gelu";
  write_llama_like(config, defaults(), json);
  if (says_gelu && config.activation == Activation::gelu_tanh) json["hidden_act"] = "gelu";
  json["attention_bias"] = config.has_qkv_bias;
}

TensorNames names(const ModelConfig&) {
  return llama_names();
}

}  // namespace

constinit const Family kGemma = {"gemma",
                                 "GemmaForCausalLM",
                                 "GemmaForSequenceClassification",
                                 "Gemma 2B, 7B, CodeGemma",
                                 read,
                                 write,
                                 names};

}  // namespace plumb
