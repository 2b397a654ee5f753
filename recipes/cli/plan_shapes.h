// A job's recipe -> the plan of its run.
#pragma once
#include <cstdint>
#include <functional>

#include "core/plan/plan.h"
#include "recipes/cli/plan_models.h"
#include "recipes/ppo_recipe.h"
#include "recipes/pretrain_recipe.h"
#include "recipes/reward_recipe.h"
#include "recipes/sft_recipe.h"

namespace plumb {

struct PlannedJob {
  plan::Plan plan;
  // The same run with another train.micro_batch_tokens.
  std::function<plan::Plan(std::int64_t)> with_micro_batch;
};

// `models` learns what the run is going to write in run.out.
PlannedJob plan_job(const PretrainRecipe& recipe, const plan::Precision& precision,
                    PlanModels& models);
PlannedJob plan_job(const SftRecipe& recipe, const plan::Precision& precision, PlanModels& models);
PlannedJob plan_job(const RewardRecipe& recipe, const plan::Precision& precision,
                    PlanModels& models);
PlannedJob plan_job(const PpoRecipe& recipe, const plan::Precision& precision, PlanModels& models);

}  // namespace plumb
