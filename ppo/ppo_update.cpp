#include "ppo/ppo_update.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/ops/philox.h"
#include "core/profile/span.h"
#include "ppo/micro_rows.h"
#include "ppo/ppo_loss.h"
#include "reward/reward_model.h"

namespace plumb {

namespace {

std::vector<int64_t> shuffled(int64_t count, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) {
    const double u = random_uniform(seed, Stream::minibatch, epoch, static_cast<uint64_t>(i));
    std::swap(order[i], order[static_cast<int64_t>(u * static_cast<double>(i + 1))]);
  }
  return order;
}

// Rows of x, wherever it lies, on `device`.
at::Tensor rows_of(const at::Tensor& x, const at::Tensor& rows, const at::Device& device) {
  return x.index_select(0, rows.to(x.device())).to(device);
}

struct Sums {
  PolicyStats policy;
  ValueStats value;
};

// One update's worth of work on a rank.
class Pass {
 public:
  Pass(const PpoModels& models, const UpdateSettings& settings, const Trajectory& trajectory,
       const Minibatch& minibatch)
      : models_(models), settings_(settings), trajectory_(trajectory), minibatch_(minibatch) {}

  // Adds the gradients of this rank's part to the parameters'. `draw` keys adapter dropout.
  Sums backward(uint64_t draw) const {
    Sums sums;
    for (const auto& micro :
         divide(trajectory_, minibatch_.local, 2, settings_.train.micro_batch_tokens)) {
      const at::Tensor cost = loss(micro_rows(trajectory_, micro, trajectory_.logprobs.device()),
                                   DropoutKey{settings_.seed, draw++}, sums);
      const profile::Span span("backward");
      cost.backward();
    }
    return sums;
  }

 private:
  at::Tensor loss(const MicroRows& rows, const DropoutKey& dropout, Sums& sums) const {
    const profile::Span span("forward");
    const PpoOptions& options = settings_.options;
    const int64_t n = rows.batch.num_rows();
    ForwardOptions forward;
    forward.adapters = {{0, n, models_.policy}, {n, 2 * n, models_.critic}};
    if (models_.policy->dropout > 0 || models_.critic->dropout > 0) forward.dropout = dropout;
    const at::Tensor hidden = models_.decoder->hidden(repeat(rows.batch, 2), forward);

    const at::Device device = hidden.device();
    const PolicyTokens tokens{rows_of(trajectory_.logprobs, rows.tokens, device),
                              rows_of(trajectory_.advantages, rows.tokens, device)};
    const PolicyLossOptions policy_options{options.cliprange, options.dual_clip,
                                           options.entropy_coef, minibatch_.num_tokens};
    const at::Tensor policy = token_loss(
        rows_of(hidden, rows.predict_rows, device), models_.decoder->head(), rows.targets,
        options.rollout.temperature, policy_loss(tokens, policy_options, sums.policy),
        policy_loss_kernel(tokens, policy_options));

    const at::Tensor before = rows_of(hidden, rows.state_rows + n, device);
    const at::Tensor value =
        value_loss_sum({.values = head_values(before, models_.critic_head),
                        .old_values = rows_of(trajectory_.values, rows.states, device),
                        .returns = rows_of(trajectory_.returns, rows.states, device)},
                       options.critic.cliprange_value, sums.value);
    return policy + value * (options.critic.vf_coef / minibatch_.num_states);
  }

  const PpoModels& models_;
  const UpdateSettings& settings_;
  const Trajectory& trajectory_;
  const Minibatch& minibatch_;
};

MinibatchMeans means_over_ranks(const Sums& sums, Comm& comm) {
  const PolicyStats& p = sums.policy;
  const ValueStats& v = sums.value;
  at::Tensor all = at::tensor(
      {p.loss, p.approxkl, p.clipped, p.ratio, p.entropy, p.tokens, v.loss, v.clipped, v.states},
      at::kDouble);
  comm.all_reduce_sum(all);
  const double* x = all.data_ptr<double>();
  MinibatchMeans means;
  means.policy_loss = x[0] / x[5];
  means.approxkl = x[1] / x[5];
  means.clipfrac = x[2] / x[5];
  means.ratio = x[3] / x[5];
  means.entropy = x[4] / x[5];
  means.value_loss = x[6] / x[8];
  means.value_clipfrac = x[7] / x[8];
  return means;
}

[[noreturn]] void fail_non_finite(const UpdateSettings& settings, const std::string& what) {
  throw Error("iteration " + std::to_string(settings.iteration + 1) + ": " + what +
                  "; the update was not made and the weights are as before it. Lower "
                  "train.optimizer.lr, set ppo.reward.score_clip, or look at the iteration's "
                  "rollout file",
              Exit::non_finite);
}

// Gradients of all ranks together, clipped; sums are the same on every rank, so all fail alike.
double reduce_and_clip(AdamW& optimizer, const UpdateSettings& settings, Comm& comm) {
  const profile::Span span("gradient norm");
  comm.all_reduce_sum(optimizer.gradients().flat());
  const double norm = optimizer.clip_and_norm(settings.train.optimizer.max_grad_norm);
  if (!std::isfinite(norm)) {
    fail_non_finite(settings, "the gradient of '" + optimizer.gradients().first_non_finite() +
                                  "' is not finite");
  }
  return norm;
}

}  // namespace

std::vector<Minibatch> minibatches(const Trajectory& all, int64_t first, int64_t num_local,
                                   const EpochPlan& plan) {
  const int64_t count = all.num_responses();
  const std::vector<int64_t> order = shuffled(count, plan.seed, plan.epoch);
  std::vector<Minibatch> parts(plan.num_mini_batches);
  for (int64_t i = 0; i < count; ++i) {
    Minibatch& part = parts[i * plan.num_mini_batches / count];
    const int64_t b = order[i];
    part.num_tokens += static_cast<double>(all.response_length(b));
    part.num_states += static_cast<double>(all.cu_states[b + 1] - all.cu_states[b]);
    if (b >= first && b < first + num_local) part.local.push_back(b - first);
  }
  return parts;
}

UpdateResult update(const PpoModels& models, const PpoOptimizers& optimizers,
                    const UpdateSettings& settings, const Trajectory& local, const Trajectory& all,
                    Comm& comm) {
  const profile::Span span("update");
  const PpoOptions& options = settings.options;
  const int64_t first = all.num_responses() * comm.rank() / comm.world_size();
  UpdateResult result;
  for (int64_t e = 0; e < options.num_ppo_epochs; ++e) {
    const auto epoch = static_cast<uint64_t>(settings.iteration * options.num_ppo_epochs + e);
    const auto parts = minibatches(all, first, local.num_responses(),
                                   {options.num_mini_batches, settings.seed, epoch});
    for (std::size_t m = 0; m < parts.size(); ++m) {
      // A micro-batch holds at least one response: these keys of dropout never meet.
      const uint64_t draw = (epoch * parts.size() + m) * static_cast<uint64_t>(all.num_responses());
      optimizers.policy.gradients().zero();
      optimizers.critic.gradients().zero();
      const Pass pass(models, settings, local, parts[m]);
      MinibatchMeans means = means_over_ranks(pass.backward(draw), comm);
      if (!std::isfinite(means.policy_loss) || !std::isfinite(means.value_loss)) {
        fail_non_finite(settings, "the loss is not finite (policy " +
                                      std::to_string(means.policy_loss) + ", value " +
                                      std::to_string(means.value_loss) + ")");
      }
      result.stopped_by_kl = options.target_kl && means.approxkl > *options.target_kl;
      if (!result.stopped_by_kl) {
        means.policy_grad_norm = reduce_and_clip(optimizers.policy, settings, comm);
        means.critic_grad_norm = reduce_and_clip(optimizers.critic, settings, comm);
        if (optimizers.policy_lr > 0) optimizers.policy.step(optimizers.policy_lr);
        optimizers.critic.step(optimizers.critic_lr);
      }
      result.minibatches.push_back(means);
      if (result.stopped_by_kl) return result;
    }
  }
  return result;
}

}  // namespace plumb
