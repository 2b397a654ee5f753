// The loop of PPO: iterate() is an iteration, its steps numbered. What surrounds it (data,
// evaluation, logs, checkpoints) is in ppo_run.cpp.
#include "ppo/ppo_trainer.h"

#include <chrono>

#include "core/profile/span.h"
#include "core/train/schedule.h"
#include "core/train/signals.h"

namespace plumb {

namespace {

class Stopwatch {
 public:
  // Seconds since the last call.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> seconds = now - last_;
    last_ = now;
    return seconds.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

TrainResult PpoTrainer::train() {
  context_.progress.note("ppo: " + std::to_string(iterations_) + " iterations of " +
                         std::to_string(job_.train.batch_size) + " responses; each makes " +
                         std::to_string(job_.ppo.num_ppo_epochs * job_.ppo.num_mini_batches) +
                         " updates (num_ppo_epochs x num_mini_batches)");
  saved_at_ = context_.state.step;
  while (true) {
    if (evaluate_if_due() == Next::stop) interrupted();
    save_if_due();
    if (context_.state.step >= iterations_) break;
    if (iterate() == Next::stop) interrupted();
  }
  result_.step = context_.state.step;
  return result_;
}

// One iteration of Schulman et al. 2017, algorithm 1, with the reward of Ziegler et al. 2019.
PpoTrainer::Next PpoTrainer::iterate() {
  Comm& comm = context_.comm;
  comm.set_step(context_.state.step + 1);
  const profile::Span span("iteration");
  Stopwatch watch;

  // 1. Rollout: y ~ pi_old( . | x), and log pi_old, log pi_ref, V of every token.
  // 2. Score: R(x, y), normalised and clipped, less a penalty where EOS is missing.
  std::optional<Trajectory> rolled = roll_out(training_requests());
  if (!rolled) return Next::stop;
  Trajectory& trajectory = *rolled;
  PhaseTimes seconds;
  seconds.score = score_seconds_;
  seconds.rollout = watch.lap() - seconds.score;

  // 3. KL reward: r_t = -beta KL_t + [t last] R (Ziegler et al. 2019, eq. 2).
  const RaggedOffsets offsets{trajectory.cu_response, trajectory.cu_states};
  const KlPenalty penalty{kl_.coef(), parse_kl_estimator(job_.ppo.kl.estimator)};
  const TokenRewards rewards = token_rewards({trajectory.logprobs, trajectory.ref_logprobs},
                                             trajectory.scores, penalty, offsets);
  trajectory.kl = rewards.kl;
  trajectory.rewards = rewards.rewards;
  if (job_.ppo.reward.whiten_rewards) {
    const Moments spread = over_ranks(moments(trajectory.rewards), comm);
    trajectory.rewards = whiten_keep_mean(trajectory.rewards, spread);
  }

  // 4. Advantages: GAE (Schulman et al. 2016, eq. 16), returns A + V, whitening over all ranks.
  const at::Tensor advantages = gae(trajectory.rewards, trajectory.values, trajectory.cu_states,
                                    {job_.ppo.gamma, job_.ppo.lam});
  trajectory.returns = advantages + trajectory.values;
  trajectory.advantages = advantages.index_select(
      0, token_states(trajectory.cu_response, trajectory.cu_states).to(advantages.device()));
  if (job_.ppo.whiten_advantages) {
    const Moments spread = over_ranks(moments(trajectory.advantages), comm);
    trajectory.advantages = whiten(trajectory.advantages, spread);
  }
  const Trajectory all = gather(trajectory, comm);

  // 5. Updates: epochs of minibatches of the clipped losses (Schulman et al. 2017, eq. 7 and 9).
  comm.set_phase("update");
  const PpoOptimizers optimizers = this->optimizers();
  const UpdateSettings settings{job_.ppo, job_.train, job_.seed, context_.state.step};
  const UpdateResult updates = update(job_.models, optimizers, settings, trajectory, all, comm);
  seconds.update = watch.lap();

  // 6. Log, and let the KL coefficient follow (Ziegler et al. 2019, section 2.2).
  TrainState& state = context_.state;
  state.step += 1;
  state.samples_seen += all.num_responses();
  state.tokens_seen += all.num_tokens();
  log_iteration({all, updates, seconds, kl_.coef(), optimizers.policy_lr, optimizers.critic_lr,
                 state.samples_seen});
  kl_.update(objective_kl(all), static_cast<double>(all.num_responses()));
  return Next::go_on;
}

std::optional<Trajectory> PpoTrainer::roll_out(const std::vector<RolloutRequest>& requests) {
  context_.comm.set_phase("rollout");
  Trajectory trajectory = sample_responses(job_.models, rollout_, requests);
  if (context_.comm.any(stop_requested())) return std::nullopt;
  context_.comm.set_phase("score");
  Stopwatch watch;
  evaluate_roles(job_.models, job_.terms, rollout_, trajectory);
  score_responses(job_.terms, job_.ppo.reward, job_.models, trajectory);
  score_seconds_ = watch.lap();
  return trajectory;
}

PpoOptimizers PpoTrainer::optimizers() {
  const int64_t step = context_.state.step;
  const auto rate = [&](double peak) {
    return learning_rate(peak, job_.train.schedule, step, iterations_);
  };
  const bool policy_waits = step < job_.ppo.critic.warmup_iterations;
  return {policy_, critic_, policy_waits ? 0.0 : rate(job_.train.optimizer.lr),
          rate(job_.ppo.critic.lr.value_or(job_.train.optimizer.lr))};
}

}  // namespace plumb
