// Models named as hf:owner/name[@revision] become folders of the hub's cache. Done once, in the
// program, before the jobs are opened: they see folders alone. A recipe that is kept names the
// folder, and with it the commit.
#pragma once
#include <string>

#include "core/hub/listing.h"
#include "recipes/common/prepare_data.h"
#include "recipes/ppo_recipe.h"
#include "recipes/pretrain_recipe.h"
#include "recipes/reward_recipe.h"
#include "recipes/sft_recipe.h"
#include "recipes/use_options.h"

namespace plumb {

// A folder stays what it is. Throws Error where the model cannot be had, or where a path that is
// not there looks like a name on the hub.
std::string resolve_reference(const std::string& model, hub::Need need, Telling telling);

// Every path of a model, adapter, tokenizer or reward model.
void resolve_references(PretrainRecipe& recipe, Telling telling);
void resolve_references(SftRecipe& recipe, Telling telling);
void resolve_references(RewardRecipe& recipe, Telling telling);
void resolve_references(PpoRecipe& recipe, Telling telling);
void resolve_references(GenerateOptions& options);
void resolve_references(EvalOptions& options);
void resolve_references(LogitsOptions& options);
void resolve_references(ScoreOptions& options);
void resolve_references(ExportOptions& options);

}  // namespace plumb
