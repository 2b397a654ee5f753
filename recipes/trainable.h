// What a job trains: an adapter (with a scalar head, or not) on a frozen base, or all weights.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/text/tokenizer.h"
#include "lora/peft_io.h"
#include "recipes/run_options.h"

namespace plumb {

struct Trainable {
  Decoder decoder;
  std::optional<PeftAdapter> peft;  // none: all weights of the decoder are trained
  at::Tensor score;                 // (1, C) of a reward model, or undefined

  const Adapter* adapter() const { return peft ? &peft->adapter : nullptr; }
  std::vector<NamedTensor> parameters() const;  // what is trained, named
};

// model.path, and on it: the adapter of model.adapter, a new one of `lora`, or with lora.rank 0
// none (an adapter given is then merged first).
Trainable load_trainable(const ModelOptions& model, const LoraOptions& lora, uint64_t seed);

// A head as transformers makes one: normal(0, initializer_range). Draws are Philox.
at::Tensor new_score_head(const ModelConfig& config, uint64_t seed);

// FOLDER/adapter (PEFT) or FOLDER/model (Hugging Face), with the tokenizer: written, reopened, and
// its logits (or scores) compared with what was trained. Returns the folder written.
std::string save_trainable(const Trainable& trained, const Tokenizer& tokenizer,
                           const std::string& base_path, const std::string& folder);

}  // namespace plumb
