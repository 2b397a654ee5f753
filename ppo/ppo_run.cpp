// What surrounds the loop of ppo_trainer.cpp: construction, data, evaluation, logs, checkpoints.
#include <algorithm>

#include "core/data/batch_plan.h"
#include "core/error.h"
#include "core/io/hash.h"
#include "core/profile/span.h"
#include "ppo/checkpoint_tensors.h"
#include "ppo/ppo_trainer.h"
#include "ppo/rollout_file.h"

namespace plumb {

namespace {

// Held-out responses have sample numbers of their own, the same at every evaluation: it is the
// policy that differs, not the luck.
constexpr uint64_t kHeldOutIds = uint64_t{1} << 62;
// Ranks sample texts of different lengths.
constexpr double kRolloutTimeout = 1800;

bool due(int64_t every, int64_t step, int64_t total) {
  return (every > 0 && step % every == 0) || step == total;
}

OptimizerOptions critic_options(const PpoJob& job) {
  OptimizerOptions options = job.train.optimizer;
  options.lr = job.ppo.critic.lr.value_or(options.lr);
  return options;
}

void check_sizes(const PpoJob& job, const Comm& comm) {
  const int64_t batch = job.train.batch_size;
  const auto require = [](bool holds, const std::string& rule) {
    if (!holds) throw Error("ppo: " + rule, Exit::usage);
  };
  require(batch % job.ppo.rollout.samples_per_prompt == 0,
          "train.batch_size (" + std::to_string(batch) +
              " responses an iteration) must be a multiple of ppo.rollout.samples_per_prompt (" +
              std::to_string(job.ppo.rollout.samples_per_prompt) + ")");
  require(job.ppo.num_mini_batches <= batch,
          "ppo.num_mini_batches is " + std::to_string(job.ppo.num_mini_batches) +
              ", more than the " + std::to_string(batch) + " responses of train.batch_size");
  require(comm.world_size() <= batch, "there are " + std::to_string(comm.world_size()) +
                                          " ranks for " + std::to_string(batch) +
                                          " responses: raise train.batch_size");
}

}  // namespace

PpoTrainer::PpoTrainer(const PpoJob& job, RunContext& context)
    : job_(job),
      context_(context),
      policy_(policy_parameters(job.models), job.train.optimizer),
      critic_(critic_parameters(job.models), critic_options(job)),
      kl_(job.ppo.kl),
      rollout_{job.ppo.rollout,
               job.ppo.compat == "trl" ? ScorePlacement::after_eos : ScorePlacement::last_token,
               job.seed, job.train.micro_batch_tokens,
               kept_weights(job.ppo.rollout.weights, *job.models.decoder)},
      iterations_(
          total_steps(job.train, job.prompts->size() * job.ppo.rollout.samples_per_prompt)) {
  check_sizes(job, context.comm);
  context.comm.set_timeout(kRolloutTimeout);
}

// Responses of iteration i are numbers i B .. (i + 1) B - 1 of the run. Prompts are taken in an
// order drawn anew for each pass over them; each rank takes an equal run of the iteration's
// responses.
std::vector<RolloutRequest> PpoTrainer::training_requests() const {
  const Dataset& prompts = *job_.prompts;
  const int64_t batch = job_.train.batch_size;
  const int64_t rank = context_.comm.rank(), ranks = context_.comm.world_size();
  const BatchPlan plan(prompts.size(), batch, job_.seed);
  std::vector<RolloutRequest> requests;
  for (int64_t i = batch * rank / ranks; i < batch * (rank + 1) / ranks; ++i) {
    const int64_t number = context_.state.step * batch + i;
    const int64_t place = number / job_.ppo.rollout.samples_per_prompt;
    const Sample sample =
        prompts.sample(plan.sample_index(place / prompts.size(), place % prompts.size()));
    requests.push_back({static_cast<uint64_t>(number), sample.only().tokens, sample.answer});
  }
  return requests;
}

std::vector<RolloutRequest> PpoTrainer::held_out_requests() const {
  const int64_t count = std::min(job_.held_out->size(), job_.train.batch_size);
  const int64_t rank = context_.comm.rank(), ranks = context_.comm.world_size();
  std::vector<RolloutRequest> requests;
  for (int64_t i = count * rank / ranks; i < count * (rank + 1) / ranks; ++i) {
    const Sample sample = job_.held_out->sample(i);
    requests.push_back(
        {kHeldOutIds + static_cast<uint64_t>(i), sample.only().tokens, sample.answer});
  }
  return requests;
}

PpoTrainer::Next PpoTrainer::evaluate_if_due() {
  const int64_t step = context_.state.step;
  const bool is_due = step == 0 || due(job_.train.eval_every, step, iterations_);
  if (job_.held_out == nullptr || !is_due || evaluated_at_ == step) return Next::go_on;
  const profile::Span span("evaluation");
  std::optional<Trajectory> rolled = roll_out(held_out_requests());
  if (!rolled) return Next::stop;
  const Trajectory all = gather(*rolled, context_.comm);
  result_.last_eval = rollout_metrics(all, "eval_");
  context_.log.metrics(step, result_.last_eval);
  log_samples(all);
  evaluated_at_ = step;
  return Next::go_on;
}

void PpoTrainer::log_iteration(const IterationReport& report) {
  const int64_t step = context_.state.step;
  if (context_.comm.is_main() && !context_.run_folder.empty()) {
    write_rollout(context_.run_folder, step, job_.ppo.rollout.keep, report.all);
  }
  const Metrics metrics = iteration_metrics(report);
  const double seconds = report.seconds.rollout + report.seconds.score + report.seconds.update;
  context_.progress.update({step, "reward", report.all.raw_scores.mean().item<double>(),
                            static_cast<double>(report.all.num_tokens()) / seconds});
  if (due(job_.train.log_every, step, iterations_)) context_.log.metrics(step, metrics);
  const bool shows = step == 1 || due(job_.ppo.rollout.samples_every, step, iterations_);
  if (shows && job_.held_out == nullptr) log_samples(report.all);
  if (report.updates.stopped_by_kl) {
    context_.progress.note("iteration " + std::to_string(step) + ": stopped after " +
                           std::to_string(report.updates.minibatches.size() - 1) +
                           " updates, policy/approxkl passed ppo.target_kl");
  }
  result_.last_train = metrics;
}

void PpoTrainer::log_samples(const Trajectory& all) {
  const Tokenizer& tokenizer = *job_.models.tokenizer;
  const double* score = all.raw_scores.const_data_ptr<double>();
  const int64_t count = std::min(all.num_responses(), job_.ppo.rollout.samples_shown);
  for (int64_t b = 0; b < count; ++b) {
    context_.log.sample({{"step", context_.state.step},
                         {"prompt", tokenizer.decode(all.prompt(b))},
                         {"completion", tokenizer.decode(all.response(b))},
                         {"reward", score[b]},
                         {"ended", static_cast<bool>(all.ended[b])}});
  }
}

void PpoTrainer::save_if_due() {
  const int64_t step = context_.state.step;
  if (step > saved_at_ && due(job_.train.checkpoint_every, step, iterations_)) save();
}

void PpoTrainer::save() {
  if (context_.run_folder.empty()) return;
  const profile::Span span("checkpoint");
  context_.state.logs = context_.log.sync();
  context_.state.extra["kl_coef"] = kl_.coef();
  context_.state.extra["evaluated_at"] = evaluated_at_;
  Checkpoint checkpoint;
  checkpoint.state = context_.state;
  checkpoint.tensors = joined(policy_.parameters(), critic_.parameters());
  checkpoint.optimizer = joined(prefixed("policy-optimizer.", policy_.state()),
                                prefixed("critic-optimizer.", critic_.state()));
  checkpoint.recipe = context_.recipe;
  save_checkpoint(context_.run_folder, checkpoint, job_.train.keep_checkpoints, context_.comm);
  saved_at_ = context_.state.step;
}

void PpoTrainer::restore(const Checkpoint& checkpoint) {
  copy_into(joined(policy_.parameters(), critic_.parameters()), checkpoint.tensors,
            checkpoint.folder + "/tensors.safetensors");
  policy_.load_state(without_prefix("policy-optimizer.", checkpoint.optimizer));
  critic_.load_state(without_prefix("critic-optimizer.", checkpoint.optimizer));
  context_.state = checkpoint.state;
  kl_.restore(checkpoint.state.extra.at("kl_coef").get<double>());
  evaluated_at_ = checkpoint.state.extra.at("evaluated_at").get<int64_t>();
}

void PpoTrainer::interrupted() {
  if (context_.state.step > saved_at_ || context_.state.step == 0) save();
  const std::string at =
      "stopped by a signal after iteration " + std::to_string(context_.state.step);
  throw Error(context_.run_folder.empty() ? at + "; nothing was saved"
                                          : at + "; the checkpoint is saved in " +
                                                context_.run_folder + ", go on with --resume",
              Exit::interrupted);
}

std::string plan_hash(const PpoJob& job) {
  std::string text = "ppo prompts " + std::to_string(job.prompts->size()) + " batch " +
                     std::to_string(job.train.batch_size) + " micro " +
                     std::to_string(job.train.micro_batch_tokens) + " seed " +
                     std::to_string(job.seed);
  for (int64_t i = 0; i < job.prompts->size(); ++i) {
    text += ' ';
    text += std::to_string(job.prompts->length(i));
  }
  return hash_hex(text);
}

}  // namespace plumb
