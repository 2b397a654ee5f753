#include "recipes/jobs.h"

#include "recipes/job_entries.h"

extern "C" const plumb::JobTable* plumb_jobs() {
  static const plumb::JobTable table = {
      plumb::run_pretrain, plumb::run_sft,    plumb::run_reward,      plumb::run_ppo,
      plumb::run_generate, plumb::run_chat,   plumb::run_eval,        plumb::run_logits,
      plumb::run_score,    plumb::run_export, plumb::run_calibration,
  };
  return &table;
}
