#include "ppo/ppo_update.h"

#include "ppo/advantage.h"
#include "ppo/checkpoint_tensors.h"
#include "tests/ppo/fixture.h"
#include "tests/ppo/small_world.h"

namespace plumb::test {
namespace {

// A trajectory whose old log-probabilities and values are not the current ones, so that ratios and
// clips are at work.
Trajectory make_trajectory(SmallWorld& world) {
  std::vector<RolloutRequest> requests;
  for (int64_t i = 0; i < 6; ++i) {
    requests.push_back({static_cast<uint64_t>(i), {2, static_cast<int32_t>(3 + i)}, ""});
  }
  const RolloutSettings settings{world.job.ppo.rollout, ScorePlacement::last_token, 5, 64};
  Trajectory t = sample_responses(world.job.models, settings, requests);
  evaluate_roles(world.job.models, world.job.terms, settings, t);
  t.advantages = at::randn_like(t.logprobs);
  t.returns = t.values + at::randn_like(t.values);
  return t;
}

void shake(const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& tensor : tensors) {
    tensor.tensor.add_(at::randn_like(tensor.tensor), 0.1);
  }
}

struct UpdateWorld : SmallWorld {
  explicit UpdateWorld(const std::string& store) : SmallWorld(store) {
    at::manual_seed(3);
    shake(trained());
    job.ppo.num_ppo_epochs = 1;
    job.ppo.num_mini_batches = 1;
    job.train.micro_batch_tokens = 40;  // several micro-batches
    job.train.optimizer.max_grad_norm = 0;
  }

  UpdateResult run(const Trajectory& trajectory, AdamW& policy_optimizer, AdamW& critic_optimizer) {
    const auto comm = Comm::create(RankEnv{});
    return update(job.models, {policy_optimizer, critic_optimizer, 0.0, 0.0},
                  {job.ppo, job.train, 1, 0}, trajectory, trajectory, *comm);
  }
};

TEST(Update, FirstPassRepeatsTheRolloutForBothRoles) {
  const TestFolder folder;
  UpdateWorld world(folder / "p.h5");
  const Trajectory t = make_trajectory(world);
  AdamW policy(policy_parameters(world.job.models), world.job.train.optimizer);
  AdamW critic(critic_parameters(world.job.models), world.job.train.optimizer);
  const MinibatchMeans means = world.run(t, policy, critic).minibatches.at(0);
  EXPECT_NEAR(means.ratio, 1.0, 1e-6);
  EXPECT_NEAR(means.policy_loss, -t.advantages.mean().item<double>(), 1e-6);
  EXPECT_EQ(means.value_clipfrac, 0.0);
  EXPECT_NEAR(means.value_loss, 0.5 * (t.values - t.returns).square().mean().item<double>(), 1e-6);
}

// The same loss as whole logits and plain autograd over each response alone.
at::Tensor plain_loss(const UpdateWorld& world, const Trajectory& t) {
  const PpoOptions& options = world.job.ppo;
  at::Tensor loss = at::zeros({});
  for (int64_t b = 0; b < t.num_responses(); ++b) {
    const PackedBatch batch = pack({t.sequences[b]});
    const int64_t first = t.prompt_lengths[b] - 1, length = t.response_length(b);
    const auto hidden_of = [&](const Adapter* adapter) {
      ForwardOptions forward;
      forward.adapters = {{0, batch.num_rows(), adapter}};
      return world.decoder.hidden(batch, forward).slice(0, first, first + length);
    };
    const auto part = [&](const at::Tensor& x) {
      return x.slice(0, t.cu_response[b], t.cu_response[b + 1]);
    };
    const at::Tensor all =
        (world.decoder.logits(hidden_of(&world.policy)) / options.rollout.temperature)
            .log_softmax(-1);
    const at::Tensor chosen = batch.tokens.slice(0, first + 1).unsqueeze(-1);
    const at::Tensor ratio = (all.gather(-1, chosen).squeeze(-1) - part(t.logprobs)).exp();
    const at::Tensor surrogate =
        at::minimum(ratio * part(t.advantages), ratio.clamp(0.8, 1.2) * part(t.advantages));
    const at::Tensor entropy = -(all.exp() * all).sum(-1);
    const at::Tensor values = hidden_of(&world.critic).matmul(world.head[0]);
    const at::Tensor near = part(t.values) + (values - part(t.values)).clamp(-0.2, 0.2);
    const at::Tensor value_loss =
        at::maximum((values - part(t.returns)).square(), (near - part(t.returns)).square());
    loss = loss - surrogate.sum() - options.entropy_coef * entropy.sum() +
           options.critic.vf_coef * 0.5 * value_loss.sum();
  }
  return loss / static_cast<double>(t.num_tokens());
}

TEST(Update, GradientsOfBothAdaptersMatchPlainAutograd) {
  const TestFolder folder;
  UpdateWorld world(folder / "p.h5");
  world.job.ppo.entropy_coef = 0.05;
  const Trajectory t = make_trajectory(world);
  shake(world.trained());  // now the policy and the critic have moved on
  AdamW policy(policy_parameters(world.job.models), world.job.train.optimizer);
  AdamW critic(critic_parameters(world.job.models), world.job.train.optimizer);
  const MinibatchMeans means = world.run(t, policy, critic).minibatches.at(0);
  EXPECT_GT(means.clipfrac, 0.05) << "the case must clip";
  EXPECT_GT(means.value_clipfrac, 0.05) << "the case must clip";
  std::vector<at::Tensor> got;
  for (AdamW* optimizer : {&policy, &critic}) {
    for (const at::Tensor& view : optimizer->gradients().views()) got.push_back(view.clone());
    optimizer->gradients().zero();
  }

  plain_loss(world, t).backward();
  std::size_t i = 0;
  for (AdamW* optimizer : {&policy, &critic}) {
    for (const NamedTensor& parameter : optimizer->parameters()) {
      const at::Tensor& want = parameter.tensor.grad();
      EXPECT_GT(want.abs().max().item<float>(), 0.0f) << parameter.name;
      expect_close(got[i++], want, 2e-5, parameter.name);
    }
  }
}

}  // namespace
}  // namespace plumb::test
