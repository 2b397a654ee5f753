// The command line of a training job: RECIPE.yaml [key=value ...] and flags -> the recipe it means.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/io/recipe_io.h"
#include "recipes/cli/flags.h"
#include "recipes/run_options.h"

namespace plumb {

// Shorthands for run.*, and what only a command line says.
struct JobLine {
  std::optional<std::string> out;
  std::optional<std::string> device;
  std::optional<std::int64_t> seed, threads, ranks;
  JobFlags flags;

  template <class Visitor>
  void fields(Visitor& v) {
    v("out", out, "run folder: run.out");
    v("ranks", ranks, "processes on this machine: run.ranks", at_least(1));
    v("device", device, "run.device");
    v("threads", threads, "threads of a rank: run.threads", at_least(0));
    v("seed", seed, "run.seed", at_least(0));
    v("flags", flags, "this call");
  }

  void apply_to(RunOptions& run) const;
};

// The recipe file (none when the first word is a key=value) and the overrides.
struct RecipeWords {
  std::string path;
  std::vector<std::string> overrides;
};
RecipeWords recipe_words(const std::vector<std::string>& positional);

template <class Recipe>
Recipe read_job(const std::vector<std::string>& arguments, const std::string& job, JobLine& line) {
  const auto words = recipe_words(parse_flags(arguments, FieldList::of(line)));
  Recipe recipe;
  if (!words.path.empty()) read_recipe(words.path, FieldList::of(recipe));
  apply_overrides(words.overrides, FieldList::of(recipe));
  line.apply_to(recipe.run);
  if (recipe.run.out.empty()) recipe.run.out = "out/" + job;
  check_required(FieldList::of(recipe), words.path.empty() ? "command line" : words.path);
  return recipe;
}

}  // namespace plumb
