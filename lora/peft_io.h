// Adapter folders as PEFT 0.21.2 writes and reads them: adapter_config.json and
// adapter_model.safetensors; a scalar head is carried as modules_to_save ["score"], task SEQ_CLS.
#pragma once
#include <ATen/ATen.h>

#include <string>

#include "lora/attach.h"

namespace plumb {

struct PeftAdapter {
  Adapter adapter;
  LoraOptions options;
  std::string base_model;  // base_model_name_or_path
  at::Tensor score;        // (1, C) f32 of a reward or value adapter; undefined for CAUSAL_LM
};

// Errors name tensor, wanted and found shape when the adapter is for another base; tensors that
// belong to no linear of the base are errors, as are adapters with nothing in them.
PeftAdapter load_peft(const std::string& folder, const ModelConfig& config);

// Refuses an adapter whose every B is zero or holds a non-finite value: it would silently do
// nothing or harm. allow_untrained = true is for a run that has made no update yet.
enum class UntrainedAdapter { refuse, allow };
void save_peft(const PeftAdapter& adapter, const ModelConfig& config, const std::string& folder,
               UntrainedAdapter untrained = UntrainedAdapter::refuse);

bool is_adapter_folder(const std::string& folder);

}  // namespace plumb
