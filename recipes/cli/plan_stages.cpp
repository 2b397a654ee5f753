#include "recipes/cli/plan_stages.h"

#include <unistd.h>

#include <filesystem>

#include "core/error.h"
#include "core/io/files.h"
#include "recipes/cli/quickstart_data.h"
#include "recipes/cli/references.h"

namespace plumb {
namespace {

// Data of stages that make them, made for this plan where the run has not made them yet.
class MadeData {
 public:
  MadeData() = default;
  MadeData(const MadeData&) = delete;
  MadeData& operator=(const MadeData&) = delete;
  ~MadeData() {
    std::error_code ignored;
    if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
  }

  std::string folder_of(const Stage& stage) {
    constexpr std::uint64_t kSeed = 42;  // of plumb data make
    root_ =
        (std::filesystem::temp_directory_path() / ("plumb-plan-data-" + std::to_string(getpid())))
            .string();
    const std::string folder = root_ + "/" + stage.name;
    write_quickstart_data(folder, kSeed);
    return folder;
  }

 private:
  std::string root_;
};

template <class Recipe>
PlannedStage plan_stage(const StageRun& run, const Stage& stage, const plan::Precision& precision,
                        PlanModels& models) {
  auto recipe = stage_job<Recipe>(stage, run.overrides_of(stage.name), run.out + "/" + stage.name);
  JobLine line = run.line;
  line.out.reset();  // of the whole run
  line.apply_to(recipe.run);
  resolve_references(recipe, Telling::quiet);
  return {stage.name, plan_job(recipe, precision, models), recipe.run};
}

PlannedStage plan_any(const StageRun& run, const Stage& stage, const plan::Precision& precision,
                      PlanModels& models) {
  if (stage.job == "pretrain") return plan_stage<PretrainRecipe>(run, stage, precision, models);
  if (stage.job == "sft") return plan_stage<SftRecipe>(run, stage, precision, models);
  if (stage.job == "reward") return plan_stage<RewardRecipe>(run, stage, precision, models);
  return plan_stage<PpoRecipe>(run, stage, precision, models);
}

}  // namespace

std::vector<PlannedStage> plan_stages(const StageRun& run, const plan::Precision& precision) {
  std::vector<PlannedStage> planned;
  PlanModels models;
  MadeData made;
  auto values = values_of(run.recipe, run.out);
  for (Stage stage : run.recipe.stages) {
    substitute(stage.recipe, values, stage.source);
    if (stage.job == "make" && !files::exists(run.out + "/" + stage.name + "/corpus.txt")) {
      values[stage.name + ".out"] = made.folder_of(stage);
    }
    if (is_training(stage)) planned.push_back(plan_any(run, stage, precision, models));
  }
  return planned;
}

}  // namespace plumb
