// A recipe of stages with what a command line says of it; read alike by `plumb run` and `plumb
// plan`.
#pragma once
#include <string>
#include <vector>

#include "core/io/recipe_tree.h"
#include "recipes/cli/job_line.h"
#include "recipes/cli/stage_recipe.h"

namespace plumb {

// "sft.train.steps=10" belongs to stage sft; "model=path" is a parameter.
struct StageOverride {
  std::string stage;
  std::string key_value;
};

struct StageRun {
  StageRecipe recipe;
  JobLine line;
  std::vector<StageOverride> overrides;
  std::string out;

  std::vector<std::string> overrides_of(const std::string& stage) const;
};

// Models that parameters name on the hub are folders afterwards.
StageRun read_stage_run(const RecipeWords& words, const JobLine& line);

bool is_training(const Stage& stage);

// The job's recipe, once ${...} is replaced in the stage's.
template <class Recipe>
Recipe stage_job(const Stage& stage, const std::vector<std::string>& overrides,
                 const std::string& out) {
  Recipe recipe;
  const auto fields = FieldList::of(recipe);
  RecipeReader(stage.source, fields.fields).read_map(stage.recipe, fields.fields, "");
  apply_overrides(overrides, fields);
  recipe.run.out = out;
  check_required(fields, stage.source + ": stage " + stage.name);
  return recipe;
}

}  // namespace plumb
