#include "core/io/families/llama_like.h"
#include "core/io/families/qwen_windows.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {}};
  return values;
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"use_mrope", "false"}};
  refuse_other_values(values, kNeutral);
  read_llama_like(values, defaults(), config);
  read_qwen_windows(values, config);
  config.has_qkv_bias = true;
}

void write(const ModelConfig& config, Json& json) {
  write_llama_like(config, defaults(), json);
  write_qwen_windows(config, json);
}

TensorNames names(const ModelConfig&) {
  return llama_names();
}

}  // namespace

constinit const Family kQwen2 = {
    "qwen2", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification", "Qwen2, Qwen2.5", read, write,
    names};

}  // namespace plumb
