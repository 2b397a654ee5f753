#include "core/gguf/architecture.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/log.h"

namespace plumb {
namespace {

[[noreturn]] void refuse(const std::string& problem) {
  throw Error("export --format gguf: llama.cpp " + problem);
}

void put(GgufMetadata& metadata, const std::string& key, GgufValue value) {
  metadata.emplace_back(key, std::move(value));
}

void warn_of_windows(const ModelConfig& config, GgufMetadata&) {
  const auto narrow = std::find_if(config.windows.begin(), config.windows.end(), [&](auto window) {
    return window > 0 && window < config.max_position_embeddings;
  });
  if (narrow == config.windows.end()) return;
  log::warning("llama.cpp knows no sliding window for this family: beyond " +
               std::to_string(*narrow) + " tokens its logits differ from this model's");
}

void falcon_keys(const ModelConfig& config, GgufMetadata& metadata) {
  if (config.positions != Positions::rope) refuse("has no ALiBi for Falcon (alibi: true)");
  if (config.block_order == BlockOrder::sequential) {
    refuse("has only Falcon's parallel blocks (parallel_attn: true)");
  }
  if (config.has_qkv_bias || config.has_o_bias || config.has_mlp_bias) {
    refuse("has no biases for Falcon (bias: true)");
  }
  put(metadata, "falcon.tensor_data_layout", "jploski");  // q, then k, then v
}

void gptneox_keys(const ModelConfig& config, GgufMetadata& metadata) {
  put(metadata, "gptneox.use_parallel_residual", config.block_order == BlockOrder::parallel);
}

void gemma2_keys(const ModelConfig& config, GgufMetadata& metadata) {
  // llama.cpp's windows go by pairs: the first of each two layers has one.
  std::int64_t window = 0;
  for (std::size_t layer = 0; layer < config.windows.size(); ++layer) {
    const std::int64_t its = config.windows[layer];
    if ((its > 0) != (layer % 2 == 0) || (window > 0 && its > 0 && its != window)) {
      refuse("takes one sliding_window in layers 0, 2, 4, ... of Gemma 2 and none in the others");
    }
    if (its > 0) window = its;
  }
  if (window == 0) refuse("needs a sliding_window for Gemma 2");
  // Its scale goes by the number of layers: the 27B model's is by hidden_size.
  constexpr std::int64_t kLayersOf27B = 46;
  const double divisor = config.num_hidden_layers == kLayersOf27B
                             ? static_cast<double>(config.hidden_size / config.num_attention_heads)
                             : static_cast<double>(config.head_dim);
  if (std::fabs(config.attention_scale * std::sqrt(divisor) - 1.0) > 1e-6) {
    refuse("takes query_pre_attn_scalar as " + std::to_string(std::lround(divisor)) +
           " in a Gemma 2 of this shape");
  }
  put(metadata, "gemma2.attention.sliding_window", static_cast<std::uint32_t>(window));
  put(metadata, "gemma2.attn_logit_softcapping", static_cast<float>(config.attention_softcap));
  put(metadata, "gemma2.final_logit_softcapping", static_cast<float>(config.logits_softcap));
}

void phi3_keys(const ModelConfig& config, GgufMetadata& metadata) {
  warn_of_windows(config, metadata);
  const auto window = config.windows.empty() ? 0 : config.windows.front();
  put(metadata, "phi3.attention.sliding_window", static_cast<std::uint32_t>(window));
  if (config.rope_scaling.type == RopeType::standard) {
    put(metadata, "phi3.rope.scaling.original_context_length",
        static_cast<std::uint32_t>(config.max_position_embeddings));
  }
}

constexpr std::array<GgufArchitecture, 10> kArchitectures = {{{.model_type = "llama",
                                                               .name = "llama",
                                                               .norm = Norm::rms,
                                                               .activation = Activation::silu,
                                                               .is_gated = true,
                                                               .rope_rows = RopeRows::pairs,
                                                               .own_keys = warn_of_windows},
                                                              {.model_type = "mistral",
                                                               .name = "llama",
                                                               .norm = Norm::rms,
                                                               .activation = Activation::silu,
                                                               .is_gated = true,
                                                               .rope_rows = RopeRows::pairs,
                                                               .own_keys = warn_of_windows},
                                                              {.model_type = "falcon",
                                                               .name = "falcon",
                                                               .norm = Norm::layer,
                                                               .activation = Activation::gelu,
                                                               .is_gated = false,
                                                               .attention_norm = "attn_norm_2",
                                                               .mlp_norm = "attn_norm",
                                                               .own_keys = falcon_keys},
                                                              {.model_type = "gpt2",
                                                               .name = "gpt2",
                                                               .norm = Norm::layer,
                                                               .activation = Activation::gelu_tanh,
                                                               .is_gated = false},
                                                              {.model_type = "gpt_neox",
                                                               .name = "gptneox",
                                                               .norm = Norm::layer,
                                                               .activation = Activation::gelu,
                                                               .is_gated = false,
                                                               .output = OutputHead::required,
                                                               .own_keys = gptneox_keys},
                                                              {.model_type = "qwen2",
                                                               .name = "qwen2",
                                                               .norm = Norm::rms,
                                                               .activation = Activation::silu,
                                                               .is_gated = true,
                                                               .own_keys = warn_of_windows},
                                                              {.model_type = "qwen3",
                                                               .name = "qwen3",
                                                               .norm = Norm::rms,
                                                               .activation = Activation::silu,
                                                               .is_gated = true,
                                                               .own_keys = warn_of_windows},
                                                              {.model_type = "phi3",
                                                               .name = "phi3",
                                                               .norm = Norm::rms,
                                                               .activation = Activation::silu,
                                                               .is_gated = true,
                                                               .own_keys = phi3_keys},
                                                              {.model_type = "gemma",
                                                               .name = "gemma",
                                                               .norm = Norm::rms_one_plus,
                                                               .activation = Activation::gelu_tanh,
                                                               .is_gated = true,
                                                               .output = OutputHead::never,
                                                               .scales_embeddings = true},
                                                              {.model_type = "gemma2",
                                                               .name = "gemma2",
                                                               .norm = Norm::rms_one_plus,
                                                               .activation = Activation::gelu_tanh,
                                                               .is_gated = true,
                                                               .output = OutputHead::never,
                                                               .scales_embeddings = true,
                                                               .has_soft_caps = true,
                                                               .own_keys = gemma2_keys}}};

// llama.cpp has one GELU, the tanh form: a model of the exact one differs by less than f16 does.
bool same_activation(Activation ours, Activation theirs) {
  const auto is_gelu = [](Activation a) {
    return a == Activation::gelu || a == Activation::gelu_tanh;
  };
  return ours == theirs || (is_gelu(ours) && is_gelu(theirs));
}

}  // namespace

const GgufArchitecture& gguf_architecture(const ModelConfig& config) {
  std::string known;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (architecture.model_type != config.model_type) {
      known += (known.empty() ? "" : ", ") + std::string(architecture.model_type);
      continue;
    }
    const bool same_mlp = same_activation(config.activation, architecture.activation) &&
                          config.is_gated == architecture.is_gated;
    if (!same_mlp || config.norm != architecture.norm) {
      refuse("computes " + std::string(architecture.name) +
             " with another activation or norm than this config's");
    }
    return architecture;
  }
  throw Error("export --format gguf: model_type '" + config.model_type + "' is not supported (" +
              known + " are)");
}

}  // namespace plumb
