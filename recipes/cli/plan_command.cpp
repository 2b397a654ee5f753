#include "recipes/cli/plan_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/yaml_tree.h"
#include "core/plan/device.h"
#include "core/plan/roofline.h"
#include "core/train/human.h"
#include "recipes/cli/machine_memory.h"
#include "recipes/cli/open_jobs.h"
#include "recipes/cli/plan_print.h"
#include "recipes/cli/plan_stages.h"
#include "recipes/cli/references.h"

namespace plumb {
namespace {

constexpr const char* kThisMachine = "cpu";

struct PlanLine {
  std::string device = kThisMachine;
  std::optional<std::string> out;
  std::optional<std::int64_t> seed, threads, ranks;
  bool json = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("device", device, "cpu: this machine, timed now; cuda:NAME: a GPU by its data sheet");
    v("out", out, "run folder: run.out");
    v("ranks", ranks, "processes, each with its model: run.ranks", at_least(1));
    v("threads", threads, "threads of a rank: run.threads", at_least(0));
    v("seed", seed, "run.seed", at_least(0));
    v("json", json, "one JSON object on stdout");
  }

  // The device stays the recipe's: what is planned for need not be here.
  JobLine job_line() const { return {out, std::nullopt, seed, threads, ranks, {}}; }
  bool is_here() const { return device == kThisMachine; }
};

bool is_job(const std::string& word) {
  return word == "pretrain" || word == "sft" || word == "reward" || word == "ppo";
}

// What kind of recipe a file is, by groups that one job alone has, else by its name.
std::string job_of(const std::string& path) {
  const YamlNode root = parse_yaml(files::read_file(path), path);
  const auto has = [&](const char* key) {
    return std::find(root.keys.begin(), root.keys.end(), key) != root.keys.end();
  };
  if (has("stages")) return "run";
  if (has("ppo")) return "ppo";
  if (has("loss")) return "reward";
  if (has("architecture") || has("tokenizer")) return "pretrain";
  const std::string stem = std::filesystem::path(path).stem().string();
  if (is_job(stem)) return stem;
  if (has("lora") && has("samples")) return "sft";
  throw Error(path + ": does not tell which job it is for; write plumb plan JOB " + path +
                  " with pretrain, sft, reward or ppo",
              Exit::usage);
}

struct Planned {
  std::vector<PlannedStage> stages;
  PlanSetting setting;
};

template <class Recipe>
PlannedStage plan_one(const std::string& job, const RecipeWords& words, const PlanLine& line,
                      const plan::Precision& precision) {
  Recipe recipe;
  if (!words.path.empty()) read_recipe(words.path, FieldList::of(recipe));
  apply_overrides(words.overrides, FieldList::of(recipe));
  line.job_line().apply_to(recipe.run);
  if (recipe.run.out.empty()) recipe.run.out = "out/" + job;
  check_required(FieldList::of(recipe), words.path.empty() ? "command line" : words.path);
  resolve_references(recipe, Telling::quiet);
  PlanModels models;
  return {job, plan_job(recipe, precision, models), recipe.run};
}

std::vector<PlannedStage> plan_words(Arguments words, const PlanLine& line,
                                     const plan::Precision& precision) {
  std::string job;
  if (!words.empty() && is_job(words[0])) {
    job = words[0];
    words.erase(words.begin());
  }
  const RecipeWords said = recipe_words(words);
  if (job.empty()) {
    if (said.path.empty()) throw Error("plumb plan takes a RECIPE.yaml", Exit::usage);
    job = job_of(said.path);
  }
  if (job == "run") return plan_stages(read_stage_run(said, line.job_line()), precision);
  if (job == "pretrain") return {plan_one<PretrainRecipe>(job, said, line, precision)};
  if (job == "sft") return {plan_one<SftRecipe>(job, said, line, precision)};
  if (job == "reward") return {plan_one<RewardRecipe>(job, said, line, precision)};
  return {plan_one<PpoRecipe>(job, said, line, precision)};
}

std::int64_t threads_of(const RunOptions& run) {
  const auto cores = static_cast<std::int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  return run.threads > 0 ? run.threads : std::max<std::int64_t>(1, cores / run.ranks);
}

std::string rate_text(double per_second, const std::string& unit) {
  return human_count(per_second / 1e9) + " G" + unit;
}

// The layers, the head, decoding and the optimizer are timed with the code that will run.
PlanSetting measure(std::vector<PlannedStage>& stages) {
  const std::int64_t threads = threads_of(stages.front().run);
  std::vector<plan::WorkItem> all;
  for (const PlannedStage& stage : stages) {
    const auto& work = stage.job.plan.work;
    all.insert(all.end(), work.begin(), work.end());
  }
  const bool multiplies_bf16 = stages.front().run.precision == "bf16";
  const plan::Calibration measured = open_jobs().calibrate(all, {threads, multiplies_bf16});
  auto timed = all.begin();
  for (PlannedStage& stage : stages) {
    for (plan::WorkItem& item : stage.job.plan.work) item.seconds = (timed++)->seconds;
    stage.job.plan.set_program_bytes(measured.program_bytes);
  }
  PlanSetting setting;
  setting.device = kThisMachine;
  setting.where = "this machine, " + std::to_string(threads) + " threads";
  setting.capacity = machine_memory_bytes();
  setting.processes_here = static_cast<double>(stages.front().run.ranks);
  setting.rates = "timed now: layers " + rate_text(measured.flops, "FLOP/s") + ", optimizer " +
                  rate_text(measured.bytes_per_second, "B/s");
  return setting;
}

PlanSetting estimate(std::vector<PlannedStage>& stages, const plan::Device& device) {
  for (PlannedStage& stage : stages) {
    for (plan::WorkItem& item : stage.job.plan.work) {
      item.seconds = seconds_on(item, device, plan::gpu_precision());
    }
    stage.job.plan.set_program_bytes(plan::kGpuProgramBytes);
  }
  PlanSetting setting;
  setting.device = "cuda:" + std::string(device.name);
  setting.where = std::string(device.description);
  setting.capacity = device.memory_bytes;
  setting.rates = "roofline: 70 % of " + human_count(device.flops / 1e12) + " TFLOP/s, 85 % of " +
                  human_count(device.bytes_per_second / 1e9) + " GB/s (" +
                  std::string(device.source) + "); bf16 weights and activations, f32 for the rest";
  return setting;
}

// The largest train.micro_batch_tokens with which the run fits; 0: none does.
std::int64_t largest_that_fits(const PlannedStage& stage, const PlanSetting& setting) {
  const double program = stage.job.plan.peak()[plan::Kind::program];
  const auto fits = [&](std::int64_t tokens) {
    plan::Plan plan = stage.job.with_micro_batch(tokens);
    plan.set_program_bytes(program);
    return needed_bytes(plan, setting) <= setting.capacity;
  };
  std::int64_t low = 1, high = stage.job.plan.micro_batch_tokens;
  if (!fits(low)) return 0;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

void refuse_what_cannot_fit(const std::vector<PlannedStage>& stages, const PlanSetting& setting) {
  for (const PlannedStage& stage : stages) {
    const plan::Plan& plan = stage.job.plan;
    const double needed = needed_bytes(plan, setting);
    if (needed <= setting.capacity) continue;
    const std::int64_t fits = largest_that_fits(stage, setting);
    const std::string what = stage.name + ": " + plan.peak().name + " needs " +
                             human_bytes(needed) + ", " + setting.device + " has " +
                             human_bytes(setting.capacity) + "; ";
    throw Error(what + (fits > 0 ? "the largest train.micro_batch_tokens that fits is " +
                                       std::to_string(fits)
                                 : "no train.micro_batch_tokens fits: train an adapter instead of "
                                   "all weights, or take a smaller model or a larger device"),
                Exit::usage);
  }
}

void print(const Planned& planned, const PlanLine& line) {
  std::vector<NamedPlan> plans;
  double seconds = 0;
  for (const PlannedStage& stage : planned.stages) {
    plans.push_back({stage.name, stage.job.plan});
    seconds += stage.job.plan.seconds();
  }
  if (line.json) {
    std::cout << plan_json(plans, planned.setting).dump() << "\n";
    return;
  }
  for (std::size_t i = 0; i < plans.size(); ++i) {
    std::cout << (i == 0 ? "" : "\n") << plan_text(plans[i], planned.setting);
  }
  if (plans.size() > 1) std::cout << "\nall stages: " << human_duration(seconds) << "\n";
}

}  // namespace

std::string plan_help() {
  PlanLine line;
  return "Memory by kind and phase, time, disk, from config and headers; no weights are loaded.\n"
         "RECIPE is a job's (plumb plan JOB RECIPE.yaml where the file does not tell which) or one "
         "of stages.\nA run that cannot fit is refused (status 2) with the largest micro-batch "
         "that does.\n\nFlags\n" +
         flags_help(FieldList::of(line));
}

int plan_command(const Arguments& arguments) {
  PlanLine line;
  const auto words = parse_flags(arguments, FieldList::of(line));
  const plan::Device* device = line.is_here() ? nullptr : &plan::find_device(line.device);
  Planned planned;
  planned.stages = plan_words(words, line, device ? plan::gpu_precision() : plan::cpu_precision());
  if (planned.stages.empty()) throw Error("the recipe has no stage that trains", Exit::usage);
  planned.setting = device ? estimate(planned.stages, *device) : measure(planned.stages);
  print(planned, line);
  refuse_what_cannot_fit(planned.stages, planned.setting);
  return 0;
}

}  // namespace plumb
