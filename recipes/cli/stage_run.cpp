#include "recipes/cli/stage_run.h"

#include "core/hub/reference.h"
#include "recipes/cli/references.h"

namespace plumb {
namespace {

StageOverride parse_override(const std::string& word, StageRecipe& recipe) {
  const std::size_t equals = word.find('='), dot = word.find('.');
  if (dot == std::string::npos || dot > equals) {
    const std::string name = word.substr(0, equals);
    if (!recipe.parameters.contains(name)) {
      throw Error("'" + word + "': this recipe has no parameter " + name +
                      "; a stage's key is STAGE.key=value",
                  Exit::usage);
    }
    recipe.parameters[name] = word.substr(equals + 1);
    return {};
  }
  const std::string stage = word.substr(0, dot);
  for (const auto& known : recipe.stages) {
    if (known.name == stage) return {stage, word.substr(dot + 1)};
  }
  throw Error("'" + word + "': this recipe has no stage " + stage, Exit::usage);
}

}  // namespace

std::vector<std::string> StageRun::overrides_of(const std::string& stage) const {
  std::vector<std::string> mine;
  for (const auto& override : overrides) {
    if (override.stage == stage) mine.push_back(override.key_value);
  }
  return mine;
}

StageRun read_stage_run(const RecipeWords& words, const JobLine& line) {
  if (words.path.empty()) throw Error("plumb run takes a RECIPE.yaml with stages", Exit::usage);
  StageRun run;
  run.line = line;
  run.recipe = read_stage_recipe(words.path);
  for (const auto& word : words.overrides) {
    const auto override = parse_override(word, run.recipe);
    if (!override.stage.empty()) run.overrides.push_back(override);
  }
  // Once, so that every stage sees the same commit.
  const auto telling = line.flags.quiet ? Telling::quiet : Telling::progress;
  for (auto& [name, value] : run.recipe.parameters) {
    if (hub::is_reference(value)) value = resolve_reference(value, hub::Need::model, telling);
  }
  run.out = line.out.value_or(run.recipe.out.empty() ? "out/run" : run.recipe.out);
  return run;
}

bool is_training(const Stage& stage) {
  return stage.job != "export" && stage.job != "make";
}

}  // namespace plumb
