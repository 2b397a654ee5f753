// The jobs that plumb_jobs() hands out (jobs.h), each in the file of its name.
#pragma once
#include "recipes/jobs.h"

namespace plumb {

void run_pretrain(const PretrainRecipe& recipe, const JobFlags& flags);
void run_sft(const SftRecipe& recipe, const JobFlags& flags);
void run_reward(const RewardRecipe& recipe, const JobFlags& flags);
void run_ppo(const PpoRecipe& recipe, const JobFlags& flags);
void run_generate(const GenerateOptions& options);
void run_chat(const GenerateOptions& options);
void run_eval(const EvalOptions& options);
void run_logits(const LogitsOptions& options);
void run_score(const ScoreOptions& options);
void run_export(const ExportOptions& options);
plan::Calibration run_calibration(std::vector<plan::WorkItem>& work,
                                  const plan::CalibrationRequest& request);

}  // namespace plumb
