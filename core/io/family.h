// A family of models is a row of one table: how its config.json is read, which options of the one
// decoder that means, and what its tensors are called. Mathematics live in core/ops and core/model;
// a family that needs none of its own adds a file in core/io/families, its name in rows.h and
// family.cpp, and its oracle in tests/oracle/make_families.py.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/config_values.h"
#include "core/io/linear_sites.h"
#include "core/io/model_config.h"

namespace plumb {

// In what order the rows of a fused qkv lie in files.
enum class QkvRows {
  blocks,      // all of q, all of k, all of v (Phi-3, GPT-2)
  per_kv_head  // for each kv head its H / K queries, its key, its value (Falcon, GPT-NeoX)
};
enum class WeightOrder {
  out_in,  // (O, I), as nn.Linear
  in_out   // (I, O), as GPT-2's Conv1D
};

// The norms of a layer. `mlp` is the norm before the MLP, which Llama calls post_attention.
enum class NormSite { attention, mlp, after_attention, after_mlp, q, k };

struct LinearName {
  Linear linear;
  std::string_view module;  // "self_attn.q_proj"; files add .weight and .bias
};
struct NormName {
  NormSite site;
  std::string_view module;  // "input_layernorm"
};

// Names of one stack's layers: `layers` + index + "." + module.
struct StackNames {
  std::string_view layers;  // "encoder.block."
  std::vector<LinearName> linears;
  std::vector<NormName> norms;
};

// Of a text-to-text model, beside the decoder's.
struct SourceNames {
  StackNames encoder, cross;
  std::string_view final_norm;             // "encoder.final_layer_norm"
  std::string_view relative_bias;          // the encoder's table, which all its layers share
  std::string_view decoder_relative_bias;  // the decoder's
};

// Names in files. A layer's are LAYERS + index + "." + module.
struct TensorNames {
  std::string_view embed_tokens;     // "model.embed_tokens.weight"
  std::string_view embed_positions;  // of learned positions, else empty
  std::string_view layers;           // "model.layers."
  std::string_view final_norm;       // "model.norm"
  std::string_view lm_head;          // "lm_head.weight"
  std::vector<LinearName> linears;
  std::vector<NormName> norms;
  // What all names but the head's begin with. Files of the bare model (transformers' LlamaModel,
  // GPT-2 as published) leave it out; both are read.
  std::string_view base;
  // Ends of names that old files hold and that follow from the config: masks, rotary frequencies.
  std::vector<std::string_view> buffers;
  // Tensors that may stand beside the embedding and then hold the same values.
  std::vector<std::string_view> embedding_copies = {};
  QkvRows qkv_rows = QkvRows::blocks;
  WeightOrder weight_order = WeightOrder::out_in;
  SourceNames source = {};
};

struct Family {
  std::string_view model_type;  // in config.json
  std::string_view causal_lm;   // "LlamaForCausalLM"
  std::string_view
      classifier;           // "LlamaForSequenceClassification"; empty where transformers has none
  std::string_view models;  // for README and errors: "Llama 1, 2, 3.x, SmolLM"
  // The family's keys into the decoder's options. What it cannot compute exactly it refuses by key
  // and value.
  void (*read)(const ConfigValues& values, ModelConfig& config);
  // The options under the family's keys; raw keys are there already.
  void (*write)(const ModelConfig& config, Json& json);
  TensorNames (*names)(const ModelConfig& config);
};

// Every family, in the order of the README's table.
std::span<const Family* const> families();
const Family* find_family(std::string_view model_type);  // nullptr: there is none
std::string family_names();                              // "llama, mistral, ...", for messages

// The family of config.model_type. Throws Error that names the ones there are.
const Family& family_of(const ModelConfig& config);

}  // namespace plumb
