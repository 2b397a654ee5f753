// PPO with a KL penalty (Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al. 2022) on one base
// with adapters. The loop is in ppo_trainer.cpp, its steps numbered; each is a function over one
// Trajectory.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/data/prepare.h"
#include "core/train/loop.h"
#include "core/train/optimizer.h"
#include "ppo/iteration_metrics.h"
#include "ppo/kl_controller.h"
#include "ppo/models.h"
#include "ppo/ppo_options.h"
#include "ppo/rollout.h"
#include "ppo/scoring.h"

namespace plumb {

// train.batch_size responses make an iteration, train.steps are iterations; eval_every,
// checkpoint_every and log_every count iterations. What is pointed to must outlive the trainer.
struct PpoJob {
  PpoModels models;
  std::vector<ScoreTerm> terms;
  const Dataset* prompts = nullptr;   // of kind prompt
  const Dataset* held_out = nullptr;  // its first batch_size prompts are evaluated; null: none are
  PpoOptions ppo;
  TrainOptions train;
  uint64_t seed = 0;
};

class PpoTrainer {
 public:
  // Makes the parameters of policy and critic trainable. Throws Error (Exit::usage) on sizes that
  // do not divide. log, progress and state of `context` are used as in core/train/loop.h.
  PpoTrainer(const PpoJob& job, RunContext& context);

  // Continues where a checkpoint was saved, bit-identically: adapters, head, both optimizers, the
  // KL coefficient; all draws are keyed by counters that follow from the iteration.
  void restore(const Checkpoint& checkpoint);

  // Iterations context.state.step .. iterations(), with evaluations and checkpoints between them.
  // Errors: Exit::non_finite; Exit::interrupted after a checkpoint.
  TrainResult train();

  int64_t iterations() const { return iterations_; }

 private:
  enum class Next { go_on, stop };  // stop: a signal came; nothing was changed since the last step
  Next iterate();
  Next evaluate_if_due();
  void save_if_due();
  void save();
  [[noreturn]] void interrupted();

  std::optional<Trajectory> roll_out(const std::vector<RolloutRequest>& requests);
  void log_iteration(const IterationReport& report);
  void log_samples(const Trajectory& all);
  std::vector<RolloutRequest> training_requests() const;
  std::vector<RolloutRequest> held_out_requests() const;
  PpoOptimizers optimizers();

  const PpoJob& job_;
  RunContext& context_;
  AdamW policy_;
  AdamW critic_;
  KlController kl_;
  RolloutSettings rollout_;
  int64_t iterations_ = 0;
  int64_t saved_at_ = 0;       // step of the newest checkpoint
  int64_t evaluated_at_ = -1;  // step of the last evaluation
  double score_seconds_ = 0;   // of the last roll_out
  TrainResult result_;
};

// What the order of prompts and the batches depend on, for RunIdentity::plan_hash.
std::string plan_hash(const PpoJob& job);

}  // namespace plumb
