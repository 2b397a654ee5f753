#include "core/io/families/llama_like.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

const LlamaDefaults& defaults() {
  static const LlamaDefaults values = {.tokens = {.bos = 1, .eos = {32000}},
                                       .max_position_embeddings = 4096,
                                       .kv_heads_are_heads = true,
                                       .rms_norm_eps = 1e-5,
                                       .rope = {.partial = "partial_rotary_factor"}};
  return values;
}

void read(const ConfigValues& values, ModelConfig& config) {
  static constexpr Neutral kNeutral[] = {{"attention_bias", "false"}, {"mlp_bias", "false"}};
  refuse_other_values(values, kNeutral);
  read_llama_like(values, defaults(), config);
  // Phi3Config knows no other; "yarn" in its files is longrope by an older name.
  if (config.rope_scaling.type != RopeType::standard) {
    values.fail(values.has("rope_parameters") ? "rope_parameters" : "rope_scaling",
                "may only be of type default in Phi-3");
  }
  set_same_window(values, values.integer("sliding_window", 0), config);
}

void write(const ModelConfig& config, Json& json) {
  write_llama_like(config, defaults(), json);
  json["sliding_window"] = config.windows.empty() ? Json(nullptr) : Json(config.windows[0]);
}

TensorNames names(const ModelConfig&) {
  TensorNames names = llama_names();
  names.linears = {{Linear::qkv, "self_attn.qkv_proj"},
                   {Linear::o, "self_attn.o_proj"},
                   {Linear::gate_up, "mlp.gate_up_proj"},
                   {Linear::down, "mlp.down_proj"}};
  return names;
}

}  // namespace

constinit const Family kPhi3 = {"phi3",
                                "Phi3ForCausalLM",
                                "Phi3ForSequenceClassification",
                                "Phi-3 (4k contexts; longrope is refused)",
                                read,
                                write,
                                names};

}  // namespace plumb
