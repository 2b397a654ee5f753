#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "core/dist/supervisor.h"
#include "recipes/cli/command.h"
#include "recipes/cli/job_line.h"
#include "recipes/cli/open_jobs.h"
#include "recipes/cli/plan_command.h"
#include "recipes/cli/references.h"
#include "recipes/cli/run_command.h"

namespace plumb {
namespace {

template <class Recipe>
using JobEntry = void (*JobTable::*)(const Recipe&, const JobFlags&);

bool is_a_rank() {
  return std::getenv("RANK") != nullptr || std::getenv("WORLD_SIZE") != nullptr;
}

int supervise_ranks(const std::string& job, const Arguments& arguments, int64_t ranks) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
  SupervisorOptions options;
  options.ranks = static_cast<int>(ranks);
  options.command = {program, job};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  return supervise(options);
}

template <class Recipe>
int run_job(const std::string& job, JobEntry<Recipe> entry, const Arguments& arguments) {
  JobLine line;
  auto recipe = read_job<Recipe>(arguments, job, line);
  resolve_references(recipe, line.flags.quiet ? Telling::quiet : Telling::progress);
  if (recipe.run.ranks > 1 && !is_a_rank()) {
    // What was just fetched is what every rank opens, even if the hub moves on meanwhile.
    setenv("HF_HUB_OFFLINE", "1", 1);
    return supervise_ranks(job, arguments, recipe.run.ranks);
  }
  (open_jobs().*entry)(recipe, line.flags);
  return 0;
}

template <class Recipe>
std::string job_help() {
  JobLine line;
  Recipe recipe;
  return "Flags\n" + flags_help(FieldList::of(line)) + "\nRecipe keys (also as key=value)\n" +
         fields_help(FieldList::of(recipe));
}

template <class Recipe>
Command job_command(const std::string& name, const std::string& summary, JobEntry<Recipe> entry) {
  return {name, "RECIPE.yaml [key=value ...] [flags]", summary, job_help<Recipe>,
          [name, entry](const Arguments& arguments) {
            return run_job<Recipe>(name, entry, arguments);
          }};
}

template <class Recipe>
std::string commented() {
  Recipe recipe;
  return commented_yaml(FieldList::of(recipe));
}

const std::vector<std::pair<std::string, std::string (*)()>> kRecipes = {
    {"pretrain", commented<PretrainRecipe>},
    {"sft", commented<SftRecipe>},
    {"reward", commented<RewardRecipe>},
    {"ppo", commented<PpoRecipe>}};

int print_recipe(const Arguments& arguments) {
  std::string names;
  for (const auto& [job, text] : kRecipes) {
    if (arguments == Arguments{job}) return std::cout << text(), 0;
    names += " " + job;
  }
  throw Error("plumb recipe takes one of:" + names, Exit::usage);
}

}  // namespace

std::vector<Command> training_commands() {
  return {
      job_command<PretrainRecipe>("pretrain",
                                  "Next-token training on text, from scratch or from a model",
                                  &JobTable::pretrain),
      job_command<SftRecipe>("sft", "Supervised fine-tuning on answers, with LoRA or all weights",
                             &JobTable::sft),
      job_command<RewardRecipe>("reward", "A reward model from preference pairs",
                                &JobTable::reward),
      job_command<PpoRecipe>("ppo", "PPO against a reward, with a KL penalty", &JobTable::ppo),
      {"run", "RECIPE.yaml [stage.key=value ...] [flags]", "The stages of a recipe, in order",
       run_help, run_stages},
      {"plan", "RECIPE.yaml [key=value ...] [--device cuda:h100-80g] [flags]",
       "Memory, time and disk of a run before it starts", plan_help, plan_command},
      {"recipe", "JOB", "Prints a complete, commented recipe: pretrain, sft, reward or ppo",
       [] { return std::string("plumb recipe sft > sft.yaml\n"); }, print_recipe},
  };
}

}  // namespace plumb
