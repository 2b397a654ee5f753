#include "core/io/families/keys.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace plumb {
namespace {

struct ActivationName {
  const char* name;
  Activation activation;
};
// The first name of each is written for a new model. gelu_fast is the same tanh formula.
constexpr std::array<ActivationName, 7> kActivations = {
    {{"silu", Activation::silu},
     {"swish", Activation::silu},
     {"gelu", Activation::gelu},
     {"gelu_new", Activation::gelu_tanh},
     {"gelu_pytorch_tanh", Activation::gelu_tanh},
     {"gelu_fast", Activation::gelu_tanh},
     {"relu", Activation::relu}}};

const ActivationName* find_activation(const std::string& name) {
  const auto found = std::find_if(kActivations.begin(), kActivations.end(),
                                  [&](const auto& known) { return name == known.name; });
  return found == kActivations.end() ? nullptr : found;
}

}  // namespace

void refuse_other_values(const ConfigValues& values, std::span<const Neutral> neutrals) {
  for (const Neutral& neutral : neutrals) {
    if (values.has(neutral.key) && *values.find(neutral.key) != Json::parse(neutral.value)) {
      values.fail(neutral.key, std::string("is supported only as ") + neutral.value);
    }
  }
}

void set_usual_head_dim(const ConfigValues& values, const char* heads_key, ModelConfig& config) {
  if (config.num_attention_heads <= 0) return;  // check_model_config says so
  if (config.hidden_size % config.num_attention_heads != 0) {
    values.fail(heads_key, "must divide the width (" + std::to_string(config.hidden_size) +
                               ") when head_dim is not given");
  }
  set_head_dim(config.hidden_size / config.num_attention_heads, config);
}

Activation read_activation(const ConfigValues& values, const char* key, const char* otherwise) {
  const ActivationName* found = find_activation(values.string(key, otherwise));
  if (found != nullptr) return found->activation;
  std::string known;
  for (const ActivationName& name : kActivations) {
    known += (known.empty() ? "" : ", ") + std::string(name.name);
  }
  values.fail(key, "is not supported (" + known + " are)");
}

void write_activation(Activation activation, const char* key, Json& json) {
  if (json.contains(key) && json[key].is_string()) {
    const ActivationName* found = find_activation(json[key].get<std::string>());
    if (found != nullptr && found->activation == activation) return;
  }
  const auto usual = std::find_if(kActivations.begin(), kActivations.end(),
                                  [&](const auto& name) { return name.activation == activation; });
  json[key] = usual->name;
}

void read_tokens(const ConfigValues& values, const UsualTokens& usual, ModelConfig& config) {
  // A usual id beyond a small vocabulary is no token of it.
  const auto is_token = [&](std::int32_t id) { return id < config.vocab_size; };
  std::set<std::int32_t> eos;
  std::copy_if(usual.eos.begin(), usual.eos.end(), std::inserter(eos, eos.end()), is_token);
  const bool has_bos = usual.bos && is_token(*usual.bos);
  config.bos_token_id = values.id("bos_token_id", has_bos ? usual.bos : std::nullopt);
  config.eos_token_ids = values.ids("eos_token_id", eos);
  // The first Llama files say -1 for none.
  const bool has_pad = values.has("pad_token_id") && values.integer("pad_token_id") >= 0;
  if (has_pad) config.pad_token_id = values.id("pad_token_id", std::nullopt);
  config.tie_word_embeddings = values.boolean("tie_word_embeddings", usual.is_tied);
}

void set_windows(const ConfigValues& values, std::int64_t window,
                 bool (*is_sliding)(const ConfigValues& values, std::int64_t layer),
                 ModelConfig& config) {
  const Json* types = values.has("layer_types") ? values.find("layer_types") : nullptr;
  const auto layers = std::clamp<std::int64_t>(config.num_hidden_layers, 0, 10'000);
  if (types != nullptr && (!types->is_array() || types->size() != static_cast<std::size_t>(layers)))
    values.fail("layer_types",
                "must be a list of num_hidden_layers (" + std::to_string(layers) + ") names");
  std::vector<std::int64_t> windows;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    bool slides = false;
    if (types == nullptr) {
      slides = window > 0 && is_sliding(values, layer);
    } else {
      const Json& type = (*types)[static_cast<std::size_t>(layer)];
      slides = type == "sliding_attention";
      if (!slides && type != "full_attention") {
        values.fail("layer_types", "may hold full_attention and sliding_attention");
      }
    }
    if (slides && window <= 0) {
      values.fail("layer_types", "has sliding_attention, for which sliding_window must be given");
    }
    windows.push_back(slides ? window : 0);
  }
  const bool any = std::any_of(windows.begin(), windows.end(), [](auto w) { return w > 0; });
  config.windows = any ? windows : std::vector<std::int64_t>{};
}

void set_same_window(const ConfigValues& values, std::int64_t window, ModelConfig& config) {
  if (values.has("sliding_window") && window < 1) {
    values.fail("sliding_window", "must be null or at least 1");
  }
  set_windows(
      values, window, [](const ConfigValues&, std::int64_t) { return true; }, config);
  const bool is_mixed =
      std::any_of(config.windows.begin(), config.windows.end(), [](auto w) { return w == 0; });
  if (is_mixed || (window > 0 && config.windows.empty())) {
    values.fail("layer_types", "must be the same in every layer and agree with sliding_window");
  }
}

Json layer_types_of(const ModelConfig& config) {
  Json types = Json::array();
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const bool slides =
        !config.windows.empty() && config.windows[static_cast<std::size_t>(layer)] > 0;
    types.push_back(slides ? "sliding_attention" : "full_attention");
  }
  return types;
}

}  // namespace plumb
