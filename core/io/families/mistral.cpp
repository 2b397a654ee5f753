#include "core/io/families/llama_like.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

constexpr std::int64_t kUsualWindow = 4096;  // MistralConfig's, when the key is missing

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {.bos = 1, .eos = {2}}};
  return values;
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"attention_bias", "false"}, {"mlp_bias", "false"}};
  refuse_other_values(values, kNeutral);
  read_llama_like(values, defaults(), config);
  const bool is_missing = values.find("sliding_window") == nullptr;
  set_same_window(values, is_missing ? kUsualWindow : values.integer("sliding_window", 0), config);
}

void write(const ModelConfig& config, Json& json) {
  write_llama_like(config, defaults(), json);
  json["sliding_window"] = config.windows.empty() ? Json(nullptr) : Json(config.windows[0]);
}

TensorNames names(const ModelConfig&) {
  return llama_names();
}

}  // namespace

constinit const Family kMistral = {"mistral",
                                   "MistralForCausalLM",
                                   "MistralForSequenceClassification",
                                   "Mistral 7B v0.1 to v0.3, Nemo",
                                   read,
                                   write,
                                   names};

}  // namespace plumb
