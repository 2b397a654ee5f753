#include "core/io/families/llama_like.h"
#include "core/io/families/qwen_windows.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {}, .head_dim = 128};
  return values;
}

void read(const ConfigValues& values, ModelConfig& config) {
  read_llama_like(values, defaults(), config);
  read_qwen_windows(values, config);
  config.has_qkv_bias = config.has_o_bias = values.boolean("attention_bias", false);
  config.has_qk_norm = true;
}

void write(const ModelConfig& config, Json& json) {
  write_llama_like(config, defaults(), json);
  write_qwen_windows(config, json);
  json["attention_bias"] = config.has_qkv_bias;
}

TensorNames names(const ModelConfig&) {
  TensorNames names = llama_names();
  names.norms.push_back({NormSite::q, "self_attn.q_norm"});
  names.norms.push_back({NormSite::k, "self_attn.k_norm"});
  return names;
}

}  // namespace

constinit const Family kQwen3 = {
    "qwen3", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification", "Qwen3 (dense)", read, write,
    names};

}  // namespace plumb
