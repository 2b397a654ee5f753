#include "recipes/cli/data_commands.h"

#include <unistd.h>

#include <iostream>

#include "core/data/inspect.h"
#include "core/error.h"
#include "core/io/model_config.h"
#include "core/io/position_limit.h"
#include "recipes/cli/job_line.h"
#include "recipes/cli/references.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/common/one_stack.h"
#include "recipes/common/prepare_data.h"

namespace plumb {
namespace {

struct InspectFlags {
  JobLine line;
  int64_t first = 0;
  int64_t count = 3;
  bool json = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("line", line, "as the job's");
    v("first", first, "inspect: the first sample shown", at_least(0));
    v("count", count, "inspect: samples shown", at_least(1));
    v("json", json, "the accounting as one JSON object on stdout");
  }
};

struct DataCall {
  InspectFlags flags;
  Tokenizer tokenizer;
  PreparedData data;
};

std::string tokenizer_of(const PretrainRecipe& recipe) {
  const auto folder =
      recipe.tokenizer.path.empty()
          ? recipe.model.path
          : resolve_reference(recipe.tokenizer.path, hub::Need::tokenizer, Telling::progress);
  if (folder.empty()) {
    throw Error(
        "tokenizer.path: is needed here; without it pretrain trains a tokenizer and then prepares "
        "its data",
        Exit::usage);
  }
  return folder;
}

template <class Recipe>
std::string tokenizer_of(const Recipe& recipe) {
  if (recipe.model.path.empty()) throw Error("model.path: is needed", Exit::usage);
  return tokenizer_folder(recipe.model.path, recipe.model.adapter);
}

int64_t context_of(const std::string& folder) {
  return position_limit(read_model_config(folder));
}

int64_t context_of(const PretrainRecipe& recipe) {
  return recipe.model.path.empty() ? recipe.architecture.max_position_embeddings
                                   : context_of(recipe.model.path);
}

template <class Recipe>
int64_t context_of(const Recipe& recipe) {
  return context_of(recipe.model.path);
}

// How the model of a recipe reads its samples.
template <class Recipe>
void check_stacks(const Recipe& recipe, DataNeed& need) {
  if (recipe.model.path.empty()) return;
  if (need.kind == SampleKind::text) require_one_stack(recipe.model.path, "pretrain");
  if (need.kind == SampleKind::preference) require_one_stack(recipe.model.path, "reward");
  need.is_text_to_text = read_model_config(recipe.model.path).is_encoder_decoder;
}

template <class Recipe>
DataCall prepare_for(const Arguments& words, InspectFlags flags) {
  Recipe recipe;
  const auto said = recipe_words(words);
  if (!said.path.empty()) read_recipe(said.path, FieldList::of(recipe));
  apply_overrides(said.overrides, FieldList::of(recipe));
  flags.line.apply_to(recipe.run);
  check_required(FieldList::of(recipe), said.path.empty() ? "command line" : said.path);
  // Tokens are all that is made here: no weights.
  recipe.model.path = resolve_reference(recipe.model.path, hub::Need::tokenizer, Telling::progress);
  recipe.model.adapter =
      resolve_reference(recipe.model.adapter, hub::Need::adapter, Telling::progress);
  auto tokenizer = Tokenizer::load(tokenizer_of(recipe));
  DataNeed need = data_need(recipe, context_of(recipe));
  check_stacks(recipe, need);
  auto data = prepare_data(need, tokenizer, Telling::progress);
  return {flags, std::move(tokenizer), std::move(data)};
}

DataCall prepare(const Arguments& arguments) {
  InspectFlags flags;
  auto words = parse_flags(arguments, FieldList::of(flags));
  const std::string job = words.empty() ? "" : words[0];
  if (!words.empty()) words.erase(words.begin());
  if (job == "pretrain") return prepare_for<PretrainRecipe>(words, flags);
  if (job == "sft") return prepare_for<SftRecipe>(words, flags);
  if (job == "reward") return prepare_for<RewardRecipe>(words, flags);
  if (job == "ppo") return prepare_for<PpoRecipe>(words, flags);
  throw Error("'" + job + "': name the job first: pretrain, sft, reward or ppo", Exit::usage);
}

void print_accounting(const DataCall& call) {
  std::cout << Json{{"store", call.data.train.store().path()},
                    {"accounting", call.data.accounting().to_json()}}
                   .dump()
            << "\n";
}

}  // namespace

std::string data_help() {
  InspectFlags flags;
  return "JOB is pretrain, sft, reward or ppo: it decides what becomes of a row. Keys are the "
         "job's:\n"
         "  plumb data inspect sft sft.yaml\n"
         "  plumb data inspect sft model.path=MODEL data.path=[train.jsonl]\n\nFlags\n" +
         flags_help(FieldList::of(flags));
}

int data_prepare(const Arguments& arguments) {
  const auto call = prepare(arguments);
  if (call.flags.json) {
    print_accounting(call);
  } else {
    std::cout << call.data.train.store().path() << "\n";
  }
  return 0;
}

int data_inspect(const Arguments& arguments) {
  const auto call = prepare(arguments);
  if (call.flags.json) return print_accounting(call), 0;
  InspectOptions options;
  options.first = call.flags.first;
  options.count = call.flags.count;
  options.marking = isatty(STDOUT_FILENO) ? Marking::colour : Marking::brackets;
  std::cout << inspect(call.data.train, call.tokenizer, options) << "\n";
  return 0;
}

}  // namespace plumb
