// adapter_config.json: what of it matters, read strictly, and the whole of it written.
#pragma once
#include <string>
#include <vector>

#include "lora/lora_options.h"

namespace plumb {

struct PeftConfig {
  LoraOptions options;
  std::string base_model;
  bool has_score = false;  // task SEQ_CLS with modules_to_save ["score"]
  // The base's weights are (I, O), as GPT-2's Conv1D. Said for PEFT, which looks for itself too.
  bool fan_in_fan_out = false;
  bool is_text_to_text = false;  // task SEQ_2_SEQ_LM
};

// Refuses, by key and value, what would change the mathematics: another peft_type, DoRA, trained
// biases, rank or alpha patterns.
PeftConfig read_peft_config(const std::string& folder);
void write_peft_config(const PeftConfig& config, const std::string& folder);

}  // namespace plumb
