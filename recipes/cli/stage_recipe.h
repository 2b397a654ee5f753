// A recipe of stages:
//
//   title: ...
//   parameters: {model: path, data: path}      # ${model} below; `model=other` on the command line
//   stages:
//     - name: sft
//       job: sft                               # pretrain, sft, reward, ppo, export or make
//       recipe: {model: {path: "${model}"}, ...}   # what RECIPE.yaml of that job would hold
//     - name: reward
//       job: reward
//       recipe: {model: {path: "${model}", adapter: "${sft.adapter}"}, ...}
//
// ${STAGE.out} is a stage's folder, ${STAGE.model} and ${STAGE.adapter} what it wrote there.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/io/yaml_tree.h"

namespace plumb {

struct Stage {
  std::string name;
  std::string job;
  std::string source;  // "recipes/hh.yaml", for errors
  YamlNode recipe;     // a map; ${...} still in it
};

struct StageRecipe {
  std::string title;
  std::string out;
  std::map<std::string, std::string> parameters;
  std::vector<Stage> stages;
};

StageRecipe read_stage_recipe(const std::string& path);

// Replaces ${...} in every scalar below `node`. An unknown name is an Error with file and line.
void substitute(YamlNode& node, const std::map<std::string, std::string>& values,
                const std::string& source);

// Parameters, and out, model and adapter of every stage under `out`.
std::map<std::string, std::string> values_of(const StageRecipe& recipe, const std::string& out);

}  // namespace plumb
