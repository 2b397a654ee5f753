// The one supervised loop: pretraining, SFT and the reward model differ in what a micro-batch costs
// and in nothing else. A step is
//   1. the micro-batches of this rank, with their weights (real tokens or pairs) known beforehand;
//   2. W = sum of weights over micro-batches and ranks;
//   3. backward of (sum of losses) / W, micro-batch by micro-batch, so that 1 x 8, 8 x 1 and two
//      ranks have the same gradient (a mean of means would weigh short samples more);
//   4. one all-reduce of the gradients, clip, schedule, AdamW.
// A loss or gradient that is not finite ends the run on all ranks alike before the update, with the
// weights as they were and the first tensor named.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/dist/comm.h"
#include "core/train/checkpoint.h"
#include "core/train/optimizer.h"
#include "core/train/progress.h"
#include "core/train/run_log.h"
#include "core/train/train_options.h"

namespace plumb {

struct LossSum {
  at::Tensor loss;           // () differentiable: the SUM over the micro-batch, not a mean
  std::vector<double> sums;  // as SupervisedJob::metrics; logged divided by the weight
};

struct MicroBatch {
  double weight = 0;                // what the loss sums over: trained tokens, or pairs
  int64_t num_tokens = 0;           // rows of the forward pass, for tokens/s
  std::vector<int64_t> sample_ids;  // named when the loss is not finite
  std::function<LossSum()> loss;    // the forward pass; under NoGradGuard in evaluation
};

struct SupervisedJob {
  std::string name;                  // "sft"
  std::vector<std::string> metrics;  // names of LossSum::sums: "mean_token_accuracy"
  int64_t total_steps = 0;
  int64_t samples_per_epoch = 0;  // for the epoch that is logged

  // This rank's share of update `step` (from 0): a pure function of the step, so that a resumed run
  // sees the same. May be empty on a rank, not on all.
  std::function<std::vector<MicroBatch>(int64_t step)> micro_batches;
  // This rank's share of the held-out set; empty function: no evaluation.
  std::function<std::vector<MicroBatch>()> evaluation;
  // Metrics that follow from the means ("perplexity" from "loss"); prefix is "" or "eval_".
  std::function<void(const std::string& prefix, Metrics& metrics)> derive;
};

// Where a run keeps its state. recipe: the resolved YAML; state: fresh, or a checkpoint's.
struct RunContext {
  Comm& comm;
  RunLog& log;
  Progress& progress;
  std::string run_folder;  // empty: no checkpoints
  std::string recipe;
  TrainState state;
};

struct TrainResult {
  int64_t step = 0;
  Metrics last_train, last_eval;  // as logged; last_eval is empty without evaluation
};

// Runs updates context.state.step .. total_steps; logs, evaluates and saves checkpoints as
// `options` say. Errors: Exit::non_finite; Exit::interrupted after a checkpoint.
TrainResult train(const SupervisedJob& job, const TrainOptions& options, AdamW& optimizer,
                  RunContext& context);

// Copies tensors, optimizer state and TrainState of a checkpoint into a run about to go on.
void restore(const Checkpoint& checkpoint, AdamW& optimizer, RunContext& context);

// Mean loss and metrics over the micro-batches of all ranks, named with `prefix`.
Metrics evaluate(const SupervisedJob& job, const std::vector<MicroBatch>& batches,
                 const std::string& prefix, Comm& comm);

}  // namespace plumb
