// Models and adapters of a plan: those that lie in folders, of which config and headers are read,
// and those that an earlier stage of a pipeline is going to make.
#pragma once
#include <map>
#include <string>

#include "core/plan/work.h"
#include "lora/peft_config.h"

namespace plumb {

class PlanModels {
 public:
  void will_make_model(const std::string& folder, const ModelConfig& config);
  void will_make_adapter(const std::string& folder, const PeftConfig& adapter);

  // tie_word_embeddings is as the weights' headers have it.
  plan::SharedConfig model(const std::string& folder) const;
  PeftConfig adapter(const std::string& folder) const;
  bool is_adapter(const std::string& folder) const;
  // Nothing is there yet.
  bool is_to_be_made(const std::string& folder) const;

 private:
  std::map<std::string, plan::SharedConfig> models_;
  std::map<std::string, PeftConfig> adapters_;
};

// The sites that LoRA's options name, on this base.
plan::AdapterShape adapter_shape(const ModelConfig& config, const LoraOptions& options);

}  // namespace plumb
