// Step 5 of an iteration: epochs of minibatches over a trajectory. Policy and critic rows go
// through the base in one pass (DESIGN.md 3).
#pragma once
#include <cstdint>
#include <vector>

#include "core/dist/comm.h"
#include "core/train/optimizer.h"
#include "core/train/train_options.h"
#include "ppo/models.h"
#include "ppo/ppo_options.h"
#include "ppo/trajectory.h"

namespace plumb {

// Responses of one update: this rank's, and what the means over all ranks divide by.
struct Minibatch {
  std::vector<int64_t> local;  // indices into this rank's trajectory
  double num_tokens = 0;
  double num_states = 0;
};

// The minibatches of one epoch: all ranks' responses in an order drawn from (seed, epoch), cut into
// equal parts, of which each rank works on its own responses. So the updates are the same for any
// number of ranks. `first` is the place of this rank's first response in `all`.
struct EpochPlan {
  int64_t num_mini_batches = 1;
  uint64_t seed = 0;
  uint64_t epoch = 0;  // over the whole run
};
std::vector<Minibatch> minibatches(const Trajectory& all, int64_t first, int64_t num_local,
                                   const EpochPlan& plan);

// Means over the tokens (or states) of one minibatch over all ranks, before its update.
struct MinibatchMeans {
  double policy_loss = 0, approxkl = 0, clipfrac = 0, ratio = 0, entropy = 0;
  double value_loss = 0, value_clipfrac = 0;
  double policy_grad_norm = 0, critic_grad_norm = 0;
};

struct UpdateResult {
  std::vector<MinibatchMeans> minibatches;  // in order; the last one made no update if stopped
  bool stopped_by_kl = false;
};

struct PpoOptimizers {
  AdamW& policy;
  AdamW& critic;
  double policy_lr = 0;  // of this iteration; 0: the policy stays (critic warm-up)
  double critic_lr = 0;
};

struct UpdateSettings {
  const PpoOptions& options;
  const TrainOptions& train;
  uint64_t seed = 0;
  int64_t iteration = 0;  // from 0
};

// Throws Error (Exit::non_finite) on all ranks alike when a loss or gradient is not finite, with
// the weights as they were before that update.
UpdateResult update(const PpoModels& models, const PpoOptimizers& optimizers,
                    const UpdateSettings& settings, const Trajectory& local, const Trajectory& all,
                    Comm& comm);

}  // namespace plumb
