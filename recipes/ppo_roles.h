// The models of a PPO run: one base; policy, reference and critic as adapters on it; reward models
// as adapters on it where they were trained so, else each with a base of its own.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "core/model/generate.h"
#include "core/text/tokenizer.h"
#include "lora/peft_io.h"
#include "ppo/ppo_trainer.h"
#include "recipes/ppo_recipe.h"
#include "recipes/use_model.h"

namespace plumb {

struct PpoRoles {
  Tokenizer tokenizer;
  std::shared_ptr<const Decoder> decoder;
  std::optional<PeftAdapter> start;  // model.adapter: the reference
  PeftAdapter policy;
  PeftAdapter critic;  // its score is the value head
  std::vector<std::unique_ptr<UsedModel>> reward_models;

  PpoModels models(const std::string& folder) const;
};

// Loads everything; fills `terms` with the recipe's rewards in order.
std::unique_ptr<PpoRoles> load_roles(const PpoRecipe& recipe, std::vector<ScoreTerm>& terms);

}  // namespace plumb
