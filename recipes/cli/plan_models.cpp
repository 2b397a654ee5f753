#include "recipes/cli/plan_models.h"

#include "core/error.h"
#include "core/io/family.h"
#include "core/io/files.h"
#include "core/io/model_files.h"
#include "lora/targets.h"

namespace plumb {
namespace {

// Files without a head's tensor have the embedding as their head (core/model/load.cpp).
bool has_own_head(const std::string& folder, const ModelConfig& config) {
  if (config.tie_word_embeddings) return false;
  if (!ShardedModelFiles::exists(folder)) return true;
  const auto files = ShardedModelFiles::open(folder);
  return files.find(std::string(family_of(config).names(config).lm_head)).has_value();
}

}  // namespace

void PlanModels::will_make_model(const std::string& folder, const ModelConfig& config) {
  models_[folder] = std::make_shared<const ModelConfig>(config);
}

void PlanModels::will_make_adapter(const std::string& folder, const PeftConfig& adapter) {
  adapters_[folder] = adapter;
}

plan::SharedConfig PlanModels::model(const std::string& folder) const {
  if (folder.empty()) throw Error("model.path: is needed: a Hugging Face folder", Exit::usage);
  const auto planned = models_.find(folder);
  if (planned != models_.end() && is_to_be_made(folder)) return planned->second;
  ModelConfig config = read_model_config(folder);
  config.tie_word_embeddings = !has_own_head(folder, config);
  return std::make_shared<const ModelConfig>(config);
}

PeftConfig PlanModels::adapter(const std::string& folder) const {
  const auto planned = adapters_.find(folder);
  if (planned != adapters_.end() && is_to_be_made(folder)) return planned->second;
  return read_peft_config(folder);
}

bool PlanModels::is_adapter(const std::string& folder) const {
  return files::exists(folder + "/adapter_config.json") ||
         (adapters_.contains(folder) && is_to_be_made(folder));
}

bool PlanModels::is_to_be_made(const std::string& folder) const {
  return !files::exists(folder + "/config.json") && !files::exists(folder + "/adapter_config.json");
}

plan::AdapterShape adapter_shape(const ModelConfig& config, const LoraOptions& options) {
  if (options.rank == 0) return {};
  return {options.rank, options.targets, target_stacks(config, options.targets)};
}

}  // namespace plumb
