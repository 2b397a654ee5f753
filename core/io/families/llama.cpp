#include "core/io/families/llama_like.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {.bos = 1, .eos = {2}},
                                       .max_position_embeddings = 2048,
                                       .kv_heads_are_heads = true};
  return values;
}

void read(const ConfigValues& values, ModelConfig& config) {
  // From relatives that keep the name.
  static constexpr Neutral kNeutral[] = {{"sliding_window", "null"},
                                         {"use_sliding_window", "false"}};
  refuse_other_values(values, kNeutral);
  read_llama_like(values, defaults(), config);
  set_windows(values, 0, nullptr, config);
  config.has_qkv_bias = config.has_o_bias = values.boolean("attention_bias", false);
  config.has_mlp_bias = values.boolean("mlp_bias", false);
}

void write(const ModelConfig& config, Json& json) {
  write_llama_like(config, defaults(), json);
  json["attention_bias"] = config.has_qkv_bias;
  json["mlp_bias"] = config.has_mlp_bias;
}

TensorNames names(const ModelConfig&) {
  return llama_names();
}

}  // namespace

constinit const Family kLlama = {"llama",
                                 "LlamaForCausalLM",
                                 "LlamaForSequenceClassification",
                                 "Llama 1, 2, 3.x, SmolLM",
                                 read,
                                 write,
                                 names};

}  // namespace plumb
