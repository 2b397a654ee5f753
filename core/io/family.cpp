#include "core/io/family.h"

#include <array>

#include "core/error.h"

namespace plumb {
namespace {

void read_llama(const ConfigValues&, ModelConfig&) {}
void write_llama(const ModelConfig&, Json&) {}
TensorNames llama_names(const ModelConfig&) {
  return {.embed_tokens = "model.embed_tokens.weight",
          .embed_positions = "",
          .layers = "model.layers.",
          .final_norm = "model.norm",
          .lm_head = "lm_head.weight",
          .linears = {{Linear::q, "self_attn.q_proj"},
                      {Linear::k, "self_attn.k_proj"},
                      {Linear::v, "self_attn.v_proj"},
                      {Linear::o, "self_attn.o_proj"},
                      {Linear::gate, "mlp.gate_proj"},
                      {Linear::up, "mlp.up_proj"},
                      {Linear::down, "mlp.down_proj"}},
          .norms = {{NormSite::attention, "input_layernorm"},
                    {NormSite::mlp, "post_attention_layernorm"}}};
}

constexpr std::array<Family, 2> kFamilies = {
    {{"llama", "LlamaForCausalLM", "LlamaForSequenceClassification", "Llama 1, 2, 3.x, SmolLM",
      read_llama, write_llama, llama_names},
     {"mistral", "MistralForCausalLM", "MistralForSequenceClassification", "Mistral 7B, Nemo",
      read_llama, write_llama, llama_names}}};

}  // namespace

std::span<const Family> families() {
  return kFamilies;
}

const Family& family_of(const ModelConfig& config) {
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.model_type == config.model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  throw Error("config.json: model_type '" + config.model_type + "' is not supported (" + known +
              " are)");
}

}  // namespace plumb
