// The line between `plumb`, which links no LibTorch, and libplumb_jobs.so, which is opened when a
// job runs (DESIGN.md 10). Both sides are built together and include this header.
#pragma once
#include "core/plan/calibration.h"
#include "recipes/ppo_recipe.h"
#include "recipes/pretrain_recipe.h"
#include "recipes/reward_recipe.h"
#include "recipes/sft_recipe.h"
#include "recipes/use_options.h"

namespace plumb {

// Every entry throws Error on what a user can mend.
struct JobTable {
  void (*pretrain)(const PretrainRecipe&, const JobFlags&);
  void (*sft)(const SftRecipe&, const JobFlags&);
  void (*reward)(const RewardRecipe&, const JobFlags&);
  void (*ppo)(const PpoRecipe&, const JobFlags&);
  void (*generate)(const GenerateOptions&);
  void (*chat)(const GenerateOptions&);
  void (*eval)(const EvalOptions&);
  void (*logits)(const LogitsOptions&);
  void (*score)(const ScoreOptions&);
  void (*export_model)(const ExportOptions&);
  // Fills in the seconds of each item.
  plan::Calibration (*calibrate)(std::vector<plan::WorkItem>& work,
                                 const plan::CalibrationRequest& request);
};

}  // namespace plumb

extern "C" const plumb::JobTable* plumb_jobs();
