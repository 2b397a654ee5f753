#include <algorithm>
#include <cmath>

#include "core/plan/persistent.h"
#include "core/plan/plan.h"

namespace plumb::plan {
namespace {

constexpr double kBytesAWeight = 4;  // results are written in f32

Persistent persistent_of(const SupervisedShape& shape, const ParameterCount& count) {
  const double score = shape.has_score ? static_cast<double>(shape.config->hidden_size) : 0;
  Persistent kept;
  kept.base = static_cast<double>(count.total());
  kept.trains_base = shape.adapter.rank == 0;
  const double adapter = static_cast<double>(count_parameters(shape.adapter));
  // Nothing trains the head of logits in a reward model (recipes/trainable.cpp).
  const double untrained = shape.has_score ? static_cast<double>(count.head) : 0;
  kept.adapters = (kept.trains_base ? 0 : adapter) + score;
  kept.trained = kept.trains_base ? kept.base - untrained + score : kept.adapters;
  kept.moment_bytes = moment_bytes(shape.options.optimizer);
  return kept;
}

Pass pass_of(const SupervisedShape& shape, const Batches& batches, double rows) {
  Pass pass;
  pass.config = shape.config;
  pass.rows = rows;
  pass.source_rows = rows * shape.train.source_share;
  pass.head_rows = shape.has_score ? 0 : rows * shape.train.trained_share;
  pass.length = batches.length;
  pass.groups = {{rows, shape.adapter, shape.adapter.rank > 0}};
  pass.has_backward = true;
  pass.trains_base = shape.adapter.rank == 0;
  return pass;
}

Pass without_backward(Pass pass) {
  pass.has_backward = false;
  pass.trains_base = false;
  return pass;
}

double evaluations(const SupervisedShape& shape, double updates) {
  const auto every = static_cast<double>(shape.options.eval_every);
  return every > 0 ? 2 + std::floor((updates - 1) / every) : 1;
}

DecodeRoom sample_room(const SupervisedShape& shape) {
  constexpr std::int64_t kSlots = 16;  // GenerateTask::max_batch
  const SampleRoom& samples = shape.samples;
  return {shape.config, shape.adapter, std::min(kSlots, samples.count), samples.prompt,
          samples.prompt + samples.new_tokens};
}

void add_phases(const SupervisedShape& shape, const Persistent& kept, const Batches& batches,
                const Precision& precision, Plan& plan) {
  Phase training = phase_of("training", kept, precision);
  add_pass(training, pass_of(shape, batches, batches.widest), precision);
  plan.phases.push_back(training);
  if (shape.held_out) {
    const Batches held_out = one_pass(*shape.held_out, shape.division);
    Phase evaluation = phase_of("evaluation", kept, precision);
    add_pass(evaluation, without_backward(pass_of(shape, held_out, held_out.widest)), precision);
    plan.phases.push_back(evaluation);
  }
  if (shape.samples.count > 0) {
    Phase samples = phase_of("samples", kept, precision);
    samples[Kind::cache] = decode_memory(sample_room(shape), precision);
    plan.phases.push_back(samples);
  }
  const double largest = static_cast<double>(plan.parameters.embedding);
  plan.phases.push_back(checkpoint_phase(kept, kept.trains_base ? largest : 0, precision));
  // What was written is opened again beside what was trained (recipes/trainable.cpp).
  Phase result = phase_of("export", kept, precision);
  result[Kind::other_models] = kept.trains_base ? kept.base * kBytesAWeight : 0;
  result[Kind::adapters] += kept.trains_base ? 0 : kept.adapters * precision.trained;
  plan.phases.push_back(result);
}

void add_work(const SupervisedShape& shape, const Persistent& kept, const Batches& batches,
              Plan& plan) {
  WorkItem training{.phase = "training", .times = batches.micro_batches};
  training.pass = pass_of(shape, batches, batches.typical_rows());
  plan.work.push_back(training);
  // Gradients are cleared and their norm taken; AdamW reads p, g, m, v and writes p, m, v.
  plan.work.push_back({.phase = "optimizer",
                       .kind = WorkKind::sweep,
                       .times = batches.updates,
                       .bytes = 4 * kept.trained * (7 + 3)});
  if (!shape.held_out) return;
  const Batches held_out = one_pass(*shape.held_out, shape.division);
  WorkItem evaluation{.phase = "evaluation",
                      .times = held_out.micro_batches * evaluations(shape, batches.updates)};
  evaluation.pass = without_backward(pass_of(shape, held_out, held_out.typical_rows()));
  plan.work.push_back(evaluation);
}

void add_disk(const SupervisedShape& shape, const Persistent& kept, Plan& plan) {
  const auto every = static_cast<double>(shape.options.checkpoint_every);
  const double made = every > 0 ? std::max(1.0, std::ceil(plan.updates / every)) : 1;
  const double held = std::min(made, static_cast<double>(shape.options.keep_checkpoints));
  plan.disk.emplace_back("checkpoints (" + std::to_string(static_cast<int>(held)) + ")",
                         held * checkpoint_bytes(kept));
  plan.disk.emplace_back("result", kBytesAWeight * (kept.trains_base ? kept.base : kept.adapters));
}

}  // namespace

Plan plan_supervised(const SupervisedShape& shape, const Precision& precision) {
  Plan plan;
  plan.job = shape.job;
  plan.config = shape.config;
  plan.parameters = count_parameters(*shape.config);
  plan.micro_batch_tokens = shape.division.micro_batch_tokens;
  const Persistent kept = persistent_of(shape, plan.parameters);
  const Batches batches = training_batches(shape.train, shape.options, shape.division);
  plan.trained = static_cast<std::int64_t>(kept.trained);
  plan.samples = static_cast<double>(shape.train.samples);
  plan.updates = batches.updates;
  plan.tokens = batches.rows * static_cast<double>(shape.division.ranks);
  add_phases(shape, kept, batches, precision, plan);
  add_work(shape, kept, batches, plan);
  add_disk(shape, kept, plan);
  return plan;
}

}  // namespace plumb::plan
