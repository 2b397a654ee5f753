#include "core/train/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "core/profile/span.h"
#include "core/train/schedule.h"
#include "core/train/signals.h"

namespace plumb {
namespace {

constexpr const char* kWindowKey = "log_window";  // in TrainState::extra
constexpr int64_t kGradientCheckSteps = 5;

// Sums since the last line of metrics, over micro-batches, ranks and steps.
struct Window {
  double loss = 0, weight = 0, tokens = 0, seconds = 0;
  std::vector<double> sums;
};

Json to_json(const Window& window) {
  return {{"loss", window.loss}, {"weight", window.weight}, {"sums", window.sums}};
}

Window window_of(const Json& extra, std::size_t num_metrics) {
  Window window;
  window.sums.assign(num_metrics, 0.0);
  if (!extra.contains(kWindowKey)) return window;
  const Json& kept = extra.at(kWindowKey);
  window.loss = kept.at("loss");
  window.weight = kept.at("weight");
  window.sums = kept.at("sums").get<std::vector<double>>();
  return window;
}

// What the micro-batches of one step or evaluation add up to.
struct Totals {
  double loss = 0, weight = 0, tokens = 0, samples = 0;
  double stops = 0;  // ranks that were asked to stop
  std::vector<double> sums;
  std::string problem;  // of this rank: a loss that is not finite
};

std::string sample_list(const std::vector<int64_t>& ids) {
  constexpr std::size_t kMost = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(ids.size(), kMost); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(ids[i]);
  }
  if (ids.size() > kMost) text += " and " + std::to_string(ids.size() - kMost) + " more";
  return text.empty() ? "unknown" : text;
}

void add(Totals& totals, const MicroBatch& batch, const LossSum& cost, double loss) {
  if (cost.sums.size() != totals.sums.size()) {
    throw Error("a micro-batch gave " + std::to_string(cost.sums.size()) +
                    " metrics, the job names " + std::to_string(totals.sums.size()),
                Exit::failed);
  }
  totals.loss += loss;
  totals.tokens += static_cast<double>(batch.num_tokens);
  totals.samples += static_cast<double>(batch.sample_ids.size());
  for (std::size_t i = 0; i < cost.sums.size(); ++i) totals.sums[i] += cost.sums[i];
}

// Sums over ranks, in one collective; `weight` is global already where it had to be known before.
void reduce(Totals& totals, Comm& comm) {
  std::vector<double> values = {totals.loss, totals.tokens, totals.samples, totals.stops};
  values.insert(values.end(), totals.sums.begin(), totals.sums.end());
  at::Tensor all = at::tensor(values, at::kDouble);
  comm.all_reduce_sum(all);
  const double* reduced = all.const_data_ptr<double>();
  totals.loss = reduced[0];
  totals.tokens = reduced[1];
  totals.samples = reduced[2];
  totals.stops = reduced[3];
  std::copy(reduced + 4, reduced + 4 + totals.sums.size(), totals.sums.begin());
}

double total_weight(const std::vector<MicroBatch>& batches) {
  double weight = 0;
  for (const MicroBatch& batch : batches) weight += batch.weight;
  return weight;
}

// The same error on every rank, with what each has to say.
[[noreturn]] void fail_non_finite(int64_t step, const std::string& problem, Comm& comm) {
  std::string message = "step " + std::to_string(step) + ": ";
  const std::vector<std::string> all = comm.all_gather_bytes(problem);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    message += (all.size() > 1 ? "rank " + std::to_string(rank) + ": " : "") + all[rank] + "; ";
  }
  throw Error(
      message +
          "the update was not made and the weights are as before it. Look at these samples, "
          "or lower optimizer.lr",
      Exit::non_finite);
}

std::string describe_loss(double loss, const MicroBatch& batch, const AdamW& optimizer) {
  const std::string tensor = first_non_finite(optimizer.parameters());
  const std::string value = std::isnan(loss) ? "NaN" : loss > 0 ? "infinity" : "-infinity";
  return "the loss is " + value + " on samples " + sample_list(batch.sample_ids) +
         (tensor.empty() ? " (all trained tensors are finite)"
                         : " (tensor '" + tensor + "' is not finite)");
}

LossSum forward(const MicroBatch& batch) {
  const profile::Span span("forward");
  return batch.loss();
}

void backward(const at::Tensor& loss, double weight) {
  const profile::Span span("backward");
  loss.backward(at::full_like(loss.detach(), 1.0 / weight));
}

// Forward and backward of this rank's micro-batches, gradients summed over all ranks.
Totals accumulate(const SupervisedJob& job, const std::vector<MicroBatch>& batches,
                  AdamW& optimizer, RunContext& context, int64_t step) {
  Comm& comm = context.comm;
  Totals totals;
  totals.sums.assign(job.metrics.size(), 0.0);
  totals.weight = comm.sum(total_weight(batches));
  if (!(totals.weight > 0)) {
    throw Error("step " + std::to_string(step) +
                ": the batch has nothing to train on (no trained "
                "token or pair on any rank)");
  }
  optimizer.gradients().zero();
  for (const MicroBatch& batch : batches) {
    const LossSum cost = forward(batch);
    const double loss = cost.loss.item<double>();
    if (!std::isfinite(loss)) {
      totals.problem = describe_loss(loss, batch, optimizer);
      break;
    }
    backward(cost.loss, totals.weight);
    add(totals, batch, cost, loss);
  }
  if (comm.any(!totals.problem.empty())) fail_non_finite(step, totals.problem, comm);
  totals.stops = stop_requested() ? 1 : 0;
  reduce(totals, comm);
  comm.all_reduce_sum(optimizer.gradients().flat());
  return totals;
}

// Names whose gradient was zero in every one of the first updates: LoRA's A has none while B is
// zero, and what lies below a zero head none while the head is, so one update proves nothing.
void check_gradients_arrive(std::set<std::string>& silent, int64_t step, AdamW& optimizer) {
  if (step > kGradientCheckSteps) return;
  const auto zero = optimizer.gradients().all_zero();
  if (step == 1) {
    silent = {zero.begin(), zero.end()};
  } else {
    std::set<std::string> still;
    for (const std::string& name : zero) {
      if (silent.contains(name)) still.insert(name);
    }
    silent = std::move(still);
  }
  if (step < kGradientCheckSteps || silent.empty()) return;
  log::warning("no gradient reached " + std::to_string(silent.size()) + " of " +
               std::to_string(optimizer.parameters().size()) + " trained tensors in the first " +
               std::to_string(kGradientCheckSteps) + " updates, the first is '" + *silent.begin() +
               "': they are not being trained");
}

Metrics means(const SupervisedJob& job, const std::string& prefix, const Window& window) {
  Metrics metrics = {{prefix + "loss", window.loss / window.weight}};
  for (std::size_t i = 0; i < job.metrics.size(); ++i) {
    metrics.emplace_back(prefix + job.metrics[i], window.sums[i] / window.weight);
  }
  if (job.derive) job.derive(prefix, metrics);
  return metrics;
}

void grow(Window& window, const Totals& totals, double seconds) {
  window.loss += totals.loss;
  window.weight += totals.weight;
  window.tokens += totals.tokens;
  window.seconds += seconds;
  for (std::size_t i = 0; i < totals.sums.size(); ++i) window.sums[i] += totals.sums[i];
}

bool due(int64_t every, int64_t step, int64_t total) {
  return (every > 0 && step % every == 0) || step == total;
}

// One run of the loop: what the steps share.
class Run {
 public:
  Run(const SupervisedJob& job, const TrainOptions& options, AdamW& optimizer, RunContext& context)
      : job_(job),
        options_(options),
        optimizer_(optimizer),
        context_(context),
        window_(window_of(context.state.extra, job.metrics.size())) {}

  TrainResult go() {
    if (context_.state.step == 0 && options_.eval_every > 0) evaluate_and_log();
    while (context_.state.step < job_.total_steps) {
      const bool stop = update();
      const int64_t step = context_.state.step;
      if (due(options_.eval_every, step, job_.total_steps)) evaluate_and_log();
      const bool save = stop || due(options_.checkpoint_every, step, job_.total_steps);
      if (save && !context_.run_folder.empty()) save_state();
      if (stop && step < job_.total_steps) interrupted();
    }
    result_.step = context_.state.step;
    return result_;
  }

 private:
  std::vector<MicroBatch> next_batches() {
    const profile::Span span("data");
    return job_.micro_batches(context_.state.step);
  }

  // The global norm of the gradients, before clipping. Every rank has the same.
  double clip(const std::vector<MicroBatch>& batches, int64_t step) {
    const profile::Span span("gradient norm");
    const double norm = optimizer_.clip_and_norm(options_.optimizer.max_grad_norm);
    if (!std::isfinite(norm)) {
      fail_non_finite(step, describe_gradient(batches), context_.comm);
    }
    if (context_.comm.is_main()) check_gradients_arrive(silent_, step, optimizer_);
    return norm;
  }

  // Returns true when any rank was asked to stop.
  bool update() {
    const profile::Span span("step");
    const auto start = std::chrono::steady_clock::now();
    TrainState& state = context_.state;
    const int64_t step = state.step + 1;
    context_.comm.set_step(step);
    context_.comm.set_phase("train");

    const auto batches = next_batches();
    const Totals totals = accumulate(job_, batches, optimizer_, context_, step);
    const double norm = clip(batches, step);
    const double lr =
        learning_rate(options_.optimizer.lr, options_.schedule, state.step, job_.total_steps);
    optimizer_.step(lr);

    state.step = step;
    state.samples_seen += static_cast<int64_t>(totals.samples);
    state.tokens_seen += static_cast<int64_t>(totals.tokens);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    grow(window_, totals, seconds.count());
    show(totals);
    if (due(options_.log_every, step, job_.total_steps)) log_window(norm, lr);
    return totals.stops > 0;
  }

  std::string describe_gradient(const std::vector<MicroBatch>& batches) {
    std::vector<int64_t> ids;
    for (const MicroBatch& batch : batches) {
      ids.insert(ids.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    }
    const std::string name = optimizer_.gradients().first_non_finite();
    return (name.empty() ? "the norm of the gradients overflows"
                         : "the gradient of '" + name + "' is not finite") +
           " on samples " + sample_list(ids);
  }

  double tokens_per_second() const { return window_.tokens / std::max(window_.seconds, 1e-9); }

  void show(const Totals& totals) {
    context_.progress.update(
        {context_.state.step, "loss", totals.loss / totals.weight, tokens_per_second()});
  }

  void log_window(double norm, double lr) {
    Metrics metrics = means(job_, "", window_);
    metrics.emplace_back("grad_norm", norm);
    metrics.emplace_back("learning_rate", lr);
    if (job_.samples_per_epoch > 0) {
      metrics.emplace_back("epoch", static_cast<double>(context_.state.samples_seen) /
                                        static_cast<double>(job_.samples_per_epoch));
    }
    metrics.emplace_back("num_tokens", static_cast<double>(context_.state.tokens_seen));
    metrics.emplace_back("tokens_per_second", tokens_per_second());
    context_.log.metrics(context_.state.step, metrics);
    result_.last_train = std::move(metrics);
    window_ = window_of(Json::object(), job_.metrics.size());
  }

  void evaluate_and_log() {
    if (!job_.evaluation) return;
    result_.last_eval = evaluate(job_, job_.evaluation(), "eval_", context_.comm);
    context_.log.metrics(context_.state.step, result_.last_eval);
    context_.progress.note(job_.name + "  step " + std::to_string(context_.state.step) +
                           "  held-out loss " + std::to_string(result_.last_eval[0].second));
  }

  void save_state() {
    const profile::Span span("checkpoint");
    TrainState& state = context_.state;
    state.logs = context_.log.sync();
    state.extra[kWindowKey] = to_json(window_);
    Checkpoint checkpoint;
    checkpoint.state = state;
    checkpoint.tensors = optimizer_.parameters();
    checkpoint.optimizer = optimizer_.state();
    checkpoint.recipe = context_.recipe;
    save_checkpoint(context_.run_folder, checkpoint, options_.keep_checkpoints, context_.comm);
  }

  [[noreturn]] void interrupted() {
    const std::string at = "stopped by a signal after step " + std::to_string(context_.state.step);
    throw Error(context_.run_folder.empty() ? at + "; nothing was saved"
                                            : at + "; the checkpoint is saved in " +
                                                  context_.run_folder + ", go on with --resume",
                Exit::interrupted);
  }

  const SupervisedJob& job_;
  const TrainOptions& options_;
  AdamW& optimizer_;
  RunContext& context_;
  Window window_;
  std::set<std::string> silent_;
  TrainResult result_;
};

}  // namespace

Metrics evaluate(const SupervisedJob& job, const std::vector<MicroBatch>& batches,
                 const std::string& prefix, Comm& comm) {
  comm.set_phase("evaluate");
  const profile::Span span("evaluation");
  at::NoGradGuard no_grad;
  Totals totals;
  totals.sums.assign(job.metrics.size(), 0.0);
  for (const MicroBatch& batch : batches) {
    const LossSum cost = forward(batch);
    add(totals, batch, cost, cost.loss.item<double>());
  }
  const double weight = comm.sum(total_weight(batches));
  reduce(totals, comm);
  if (!(weight > 0)) throw Error("the held-out set has no trained token or pair");
  return means(job, prefix, {totals.loss, weight, 0, 0, totals.sums});
}

TrainResult train(const SupervisedJob& job, const TrainOptions& options, AdamW& optimizer,
                  RunContext& context) {
  return Run(job, options, optimizer, context).go();
}

void restore(const Checkpoint& checkpoint, AdamW& optimizer, RunContext& context) {
  copy_into(optimizer.parameters(), checkpoint.tensors, checkpoint.folder + "/tensors.safetensors");
  optimizer.load_state(checkpoint.optimizer);
  context.state = checkpoint.state;
}

}  // namespace plumb
