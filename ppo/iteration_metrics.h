// What an iteration logs, with TRL 1.12's names, but without its padding: means run over response
// tokens (TRL dilutes approxkl, ratio and entropy with pads). Pure functions of the trajectory of
// all ranks and of the updates.
#pragma once
#include <cstdint>

#include "core/train/run_log.h"
#include "ppo/ppo_update.h"
#include "ppo/trajectory.h"

namespace plumb {

struct PhaseTimes {
  double rollout = 0, score = 0, update = 0;  // seconds, of the slowest rank's collectives too
};

struct IterationReport {
  const Trajectory& all;
  const UpdateResult& updates;
  PhaseTimes seconds;
  double kl_coef = 0;
  double policy_lr = 0, critic_lr = 0;
  int64_t episode = 0;  // responses since the start of the run, these included
};

// Mean over responses of the sum over a response's tokens of k1 (nats): objective/kl.
double objective_kl(const Trajectory& all);

// objective/*, policy/*, loss/*, val/*, sampling/*, completions/*, perf/*, lr, episode.
Metrics iteration_metrics(const IterationReport& report);

// The part that a trajectory alone tells, for held-out prompts: objective/scores, objective/kl,
// val/response_length, val/eos_fraction, each with `prefix`.
Metrics rollout_metrics(const Trajectory& all, const std::string& prefix);

}  // namespace plumb
