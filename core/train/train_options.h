// How a job trains: optimizer, learning-rate schedule, batches and cadence. Torch-free, so that
// recipes and help can list it. A job sets its own defaults on its copy (pretraining: beta2 0.95).
#pragma once
#include <cstdint>
#include <string>

#include "core/io/fields.h"

namespace plumb {

struct OptimizerOptions {
  std::string name = "adamw";
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;

  template <class Visitor>
  void fields(Visitor& v) {
    v("name", name,
      "adamw8 keeps the two averages of tensors of 4096 values and more in 8 bits, as "
      "bitsandbytes: "
      "6 bytes less a trained weight",
      one_of({"adamw", "adamw8"}));
    v("lr", lr, "peak learning rate", above(0));
    v("beta1", beta1, "decay of AdamW's mean of gradients", between(0, 1));
    v("beta2", beta2, "decay of AdamW's mean of squared gradients", between(0, 1));
    v("eps", eps, "added to AdamW's denominator", above(0));
    v("weight_decay", weight_decay,
      "shrinks matrices (embeddings too) by lr times this a step; vectors are left alone",
      at_least(0));
    v("max_grad_norm", max_grad_norm,
      "gradients with a larger global norm are scaled down to it; 0 does not clip", at_least(0));
  }
};

struct ScheduleOptions {
  std::string schedule = "cosine";
  int64_t warmup_steps = 0;
  double warmup_ratio = 0.0;
  double min_lr_ratio = 0.0;
  double decay_ratio = 0.1;

  template <class Visitor>
  void fields(Visitor& v) {
    v("schedule", schedule, "shape of the learning rate after warm-up",
      one_of({"cosine", "linear", "constant", "wsd"}));
    v("warmup_steps", warmup_steps,
      "updates of linear warm-up from 0; 0 takes warmup_ratio instead", at_least(0));
    v("warmup_ratio", warmup_ratio, "warm-up as a fraction of all updates", between(0, 1));
    v("min_lr_ratio", min_lr_ratio, "where the decay ends, as a fraction of lr", between(0, 1));
    v("decay_ratio", decay_ratio, "wsd: the last fraction of all updates, in which lr decays",
      between(0, 1));
  }
};

struct TrainOptions {
  int64_t batch_size = 32;
  int64_t micro_batch_tokens = 4096;
  double epochs = 1.0;
  int64_t steps = 0;
  int64_t log_every = 1;
  int64_t eval_every = 0;
  int64_t checkpoint_every = 0;
  int64_t keep_checkpoints = 2;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;

  template <class Visitor>
  void fields(Visitor& v) {
    v("batch_size", batch_size, "samples an update, over all micro-batches and ranks", at_least(1));
    v("micro_batch_tokens", micro_batch_tokens,
      "tokens a forward pass at most; changes memory and speed, not the result", at_least(1));
    v("epochs", epochs, "passes over the data; fractions are allowed", above(0));
    v("steps", steps, "updates in all; 0 takes epochs instead", at_least(0));
    v("log_every", log_every, "a line of metrics every so many updates", at_least(1));
    v("eval_every", eval_every,
      "evaluation on the held-out set every so many updates; 0 only at the end", at_least(0));
    v("checkpoint_every", checkpoint_every, "a checkpoint every so many updates; 0 only at the end",
      at_least(0));
    v("keep_checkpoints", keep_checkpoints, "newest checkpoints that are kept", at_least(1));
    v("optimizer", optimizer, "AdamW");
    v("schedule", schedule, "learning rate over the run");
  }
};

// Updates of a run over `num_samples` samples; a last batch may be short, and counts.
inline int64_t total_steps(const TrainOptions& options, int64_t num_samples) {
  if (options.steps > 0) return options.steps;
  const double samples = options.epochs * static_cast<double>(num_samples);
  const double updates = samples / static_cast<double>(options.batch_size);
  const auto whole = static_cast<int64_t>(updates);
  return whole + (static_cast<double>(whole) < updates ? 1 : 0);
}

}  // namespace plumb
