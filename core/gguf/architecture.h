// What llama.cpp calls a family, and where it departs from the family's own layout; everything else
// follows from the family's row in core/io/family.h. Read from llama.cpp's src/models/*.cpp and
// conversion/*.py (0.3.36 of llama-cpp-python).
#pragma once
#include <string>
#include <string_view>

#include "core/io/family.h"
#include "core/io/gguf.h"
#include "core/io/model_config.h"

namespace plumb {

enum class RopeRows {
  halves,  // value i turns with value i + D / 2, as Hugging Face lays them
  pairs    // value 2 i with 2 i + 1: rows of q and k change places
};
enum class OutputHead {
  optional,  // left out, the embedding serves
  required,  // a tied one is written a second time
  never      // always the embedding
};

struct GgufArchitecture {
  std::string_view model_type;  // the family's
  std::string_view name;        // general.architecture
  Norm norm;                    // what llama.cpp's graph computes, whatever the file says
  Activation activation;
  bool is_gated;
  RopeRows rope_rows = RopeRows::halves;
  OutputHead output = OutputHead::optional;
  bool scales_embeddings = false;  // by sqrt(C)
  bool has_soft_caps = false;
  // Names of the norms before attention and before the MLP, where a layer has both.
  std::string_view attention_norm = "attn_norm";
  std::string_view mlp_norm = "ffn_norm";
  // Refuses what the graph cannot compute; adds the keys that only this architecture has.
  void (*own_keys)(const ModelConfig& config, GgufMetadata& metadata) = nullptr;
};

// Throws Error that names the families there are.
const GgufArchitecture& gguf_architecture(const ModelConfig& config);

}  // namespace plumb
