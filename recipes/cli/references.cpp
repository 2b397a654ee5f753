#include "recipes/cli/references.h"

#include <unistd.h>

#include <algorithm>

#include "core/error.h"
#include "core/hub/snapshot.h"
#include "core/io/files.h"

namespace plumb {
namespace {

using hub::Need;

// "owner/name" that is no folder here: what transformers would fetch.
void check_for_forgotten_prefix(const std::string& model) {
  if (files::exists(model) || std::count(model.begin(), model.end(), '/') != 1) return;
  try {
    hub::parse_reference("hf:" + model);
  } catch (const Error&) {
    return;
  }
  throw Error(model + ": no such folder; a model of that name on the hub is written hf:" + model);
}

void resolve(std::string& model, Need need, Telling telling) {
  model = resolve_reference(model, need, telling);
}

void resolve(ModelOptions& model, Telling telling) {
  resolve(model.path, Need::model, telling);
  resolve(model.adapter, Need::adapter, telling);
}

void resolve_use(std::string& model, UseOptions& use) {
  resolve(model, Need::model, Telling::progress);
  resolve(use.adapter, Need::adapter, Telling::progress);
}

}  // namespace

std::string resolve_reference(const std::string& model, Need need, Telling telling) {
  if (!hub::is_reference(model)) {
    check_for_forgotten_prefix(model);
    return model;
  }
  const auto reference = hub::parse_reference(model);
  auto settings = hub::settings_from_environment();
  settings.shows_progress = telling == Telling::progress && isatty(STDERR_FILENO) != 0;
  return hub::fetch_snapshot(reference, need, settings);
}

void resolve_references(PretrainRecipe& recipe, Telling telling) {
  resolve(recipe.model, telling);
  resolve(recipe.tokenizer.path, Need::tokenizer, telling);
}

void resolve_references(SftRecipe& recipe, Telling telling) {
  resolve(recipe.model, telling);
}

void resolve_references(RewardRecipe& recipe, Telling telling) {
  resolve(recipe.model, telling);
}

void resolve_references(PpoRecipe& recipe, Telling telling) {
  resolve(recipe.model, telling);
  resolve(recipe.ppo.reward.model, Need::model, telling);
  for (auto& term : recipe.ppo.reward.terms) resolve(term.path, Need::model, telling);
}

void resolve_references(GenerateOptions& options) {
  resolve_use(options.model, options.use);
}

void resolve_references(EvalOptions& options) {
  resolve_use(options.model, options.use);
}

void resolve_references(LogitsOptions& options) {
  resolve_use(options.model, options.use);
}

void resolve_references(ScoreOptions& options) {
  resolve_use(options.model, options.use);
  resolve(options.reward, Need::model, Telling::progress);
}

void resolve_references(ExportOptions& options) {
  resolve_use(options.model, options.use);
  resolve(options.base, Need::model, Telling::progress);
}

}  // namespace plumb
