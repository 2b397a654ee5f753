// What PPO and the reward model compute of scalars, on kernels and on the CPU's loops.
#include <gtest/gtest.h>

#include "ppo/advantage.h"
#include "ppo/ppo_loss.h"
#include "reward/pair_loss.h"
#include "tests/simt/jobs/agreement.h"
#include "tests/simt/tensors/use_harness.h"

namespace plumb::test {
namespace {

// f(number type): first in f64 and f32 on the CPU, then in f32 on kernels.
template <class Function>
void expect_same_on_kernels(const Function& f, const std::string& what) {
  const std::vector<at::Tensor> f64 = f(at::kDouble), cpu = f(at::kFloat);
  const simt::UseHarness harness;
  const std::vector<at::Tensor> kernels = f(at::kFloat);
  ASSERT_EQ(cpu.size(), kernels.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    ASSERT_EQ(cpu[i].sizes(), kernels[i].sizes()) << what;
    expect_agreement(kernels[i], cpu[i], f64[i], what + ", result " + std::to_string(i));
  }
}

at::Tensor random(int seed, int64_t count, at::ScalarType type) {
  at::manual_seed(seed);
  return at::randn({count}, at::kDouble).to(type);
}

const std::vector<int64_t> kTokens{0, 3, 4, 11, 20};
const std::vector<int64_t> kStates{0, 4, 6, 13, 22};

TEST(ScalarsOnKernels, TokenRewards) {
  for (const KlEstimator estimator : {KlEstimator::k1, KlEstimator::k2, KlEstimator::k3}) {
    expect_same_on_kernels(
        [&](at::ScalarType type) -> std::vector<at::Tensor> {
          const TokenRewards made =
              token_rewards({random(1, 20, type), random(2, 20, type)}, random(3, 4, at::kDouble),
                            {0.07, estimator}, {kTokens, kStates});
          return {made.kl, made.rewards};
        },
        "token rewards");
  }
}

TEST(ScalarsOnKernels, AdvantagesAndWhitening) {
  expect_same_on_kernels(
      [](at::ScalarType type) -> std::vector<at::Tensor> {
        const at::Tensor advantages =
            gae(random(4, 22, type), random(5, 22, type), kStates, {0.97, 0.9});
        const Moments spread = moments(advantages);
        return {advantages, whiten(advantages, spread), whiten_keep_mean(advantages, spread),
                at::tensor({spread.mean(), spread.variance()}, at::kDouble)};
      },
      "advantages");
}

TEST(ScalarsOnKernels, ValueLossAndItsGradient) {
  expect_same_on_kernels(
      [](at::ScalarType type) -> std::vector<at::Tensor> {
        const at::Tensor values = random(6, 40, type).requires_grad_();
        ValueStats stats;
        const at::Tensor loss =
            value_loss_sum({values, random(7, 40, type), random(8, 40, type)}, 0.2, stats) * 0.3;
        loss.backward();
        return {loss.detach(), values.grad(), at::tensor({stats.loss, stats.states}, at::kDouble),
                at::tensor({stats.clipped}, at::kDouble)};
      },
      "value loss");
}

TEST(ScalarsOnKernels, PairLossAndItsGradients) {
  for (const double centering : {0.0, 0.05}) {
    expect_same_on_kernels(
        [centering](at::ScalarType type) -> std::vector<at::Tensor> {
          const at::Tensor rewards = random(9, 14, type).requires_grad_();
          const at::Tensor pairs = rewards.view({-1, 2});
          const at::Tensor loss =
              pair_loss_sum({pairs.select(1, 0), pairs.select(1, 1), random(10, 7, type).abs()},
                            centering) /
              7;
          loss.backward();
          return {loss.detach(), rewards.grad()};
        },
        "pair loss");
  }
}

}  // namespace
}  // namespace plumb::test
