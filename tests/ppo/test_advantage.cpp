#include "ppo/advantage.h"

#include <filesystem>

#include "ppo/kl_controller.h"
#include "tests/ppo/fixture.h"

namespace plumb::test {
namespace {

// f64 on both sides: what is left is the order of sums.
constexpr double kExact = 1e-12;
// TRL's n / (n - 1) is a quotient of two integer tensors, and so f32 even here: half an ulp of 1.
constexpr double kTrlWhitened = 6e-8;

TEST(Advantage, MatchesTrlOnPaddedCases) {
  for (const Json& item : ppo_fixture().at("advantages")) {
    const auto cu_response = offsets(item.at("lengths"));
    const auto cu_states =
        state_offsets(cu_response, item.at("window").get<int64_t>(), ScorePlacement::after_eos);
    ASSERT_EQ(cu_states, offsets(item.at("num_states")));

    const at::Tensor kl =
        kl_estimate(tensor(item.at("logprobs")), tensor(item.at("ref_logprobs")),
                    parse_kl_estimator(item.at("kl_estimator").get<std::string>()));
    expect_close(kl, tensor(item.at("kl")), kExact, "kl");

    at::Tensor rewards = kl_rewards(kl, tensor(item.at("scores")), item.at("kl_coef").get<double>(),
                                    {cu_response, cu_states});
    if (item.at("whiten_rewards").get<bool>()) {
      rewards = whiten_keep_mean(rewards, moments(rewards));
    }
    const bool is_whitened = item.at("whiten_rewards").get<bool>();
    const double tolerance = is_whitened ? kTrlWhitened : kExact;
    expect_close(rewards, tensor(item.at("rewards")), tolerance, "rewards");

    const at::Tensor values = tensor(item.at("values"));
    const at::Tensor advantages = gae(
        rewards, values, cu_states, {item.at("gamma").get<double>(), item.at("lam").get<double>()});
    expect_close(advantages + values, tensor(item.at("returns")), tolerance, "returns");

    const at::Tensor of_tokens = advantages.index({token_states(cu_response, cu_states)});
    expect_close(whiten(of_tokens, moments(of_tokens)), tensor(item.at("advantages")), kTrlWhitened,
                 "advantages");
  }
}

// A response alone fills TRL's window, so TRL itself puts its score on the last token.
TEST(Advantage, ScoreOnTheLastTokenMatchesTrlWhereTheWindowIsFull) {
  const Json& item = ppo_fixture().at("advantages").at(3);
  const auto cu = offsets(item.at("lengths"));
  ASSERT_EQ(state_offsets(cu, item.at("window").get<int64_t>(), ScorePlacement::last_token), cu);
  const at::Tensor kl = tensor(item.at("kl"));
  const at::Tensor rewards =
      kl_rewards(kl, tensor(item.at("scores")), item.at("kl_coef").get<double>(), {cu, cu});
  expect_close(rewards, tensor(item.at("rewards")), kExact, "rewards");
}

TEST(Advantage, ScoreLandsOnTheEosByDefaultAndOneLaterForTrl) {
  const std::vector<int64_t> cu{0, 2, 5};
  const at::Tensor kl = at::zeros({5}, at::kDouble);
  const at::Tensor scores = at::tensor({7.0, 9.0}, at::kDouble);
  const auto plain = state_offsets(cu, 3, ScorePlacement::last_token);
  expect_close(kl_rewards(kl, scores, 0.1, {cu, plain}),
               at::tensor({0.0, 7.0, 0.0, 0.0, 9.0}, at::kDouble), 0, "on the last token");
  const auto later = state_offsets(cu, 3, ScorePlacement::after_eos);
  expect_close(kl_rewards(kl, scores, 0.1, {cu, later}),
               at::tensor({0.0, 0.0, 7.0, 0.0, 0.0, 9.0}, at::kDouble), 0, "after EOS");
}

TEST(Advantage, RaggedEqualsEachResponseAlone) {
  const Json& item = ppo_fixture().at("advantages").at(0);
  const auto cu = offsets(item.at("num_states"));
  const at::Tensor rewards = tensor(item.at("rewards"));
  const at::Tensor values = tensor(item.at("values"));
  const at::Tensor together = gae(rewards, values, cu, {0.97, 0.9});
  for (std::size_t b = 0; b + 1 < cu.size(); ++b) {
    const at::Tensor alone =
        gae(rewards.slice(0, cu[b], cu[b + 1]), values.slice(0, cu[b], cu[b + 1]),
            {0, cu[b + 1] - cu[b]}, {0.97, 0.9});
    EXPECT_TRUE(together.slice(0, cu[b], cu[b + 1]).equal(alone));
  }
}

// rlax bootstraps from a value after the end and has a discount a step: the bootstrap is folded
// into the last reward, and a discount of 0 ends a sequence.
TEST(Advantage, GaeMatchesRlax) {
  const std::string path = "../shared/data/numeric/gae_ppo_cases.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  const Json gae_case = read_json(path).at("gae");
  at::Tensor rewards = matrix(gae_case.at("r_t")).clone();
  const at::Tensor values = matrix(gae_case.at("values"));
  const at::Tensor discounts = matrix(gae_case.at("discount_t"));
  const int64_t steps = rewards.size(1);
  rewards.select(1, steps - 1) += discounts.select(1, steps - 1) * values.select(1, steps);
  for (const auto& [lambda, expected] : gae_case.at("expected").items()) {
    const at::Tensor want = matrix(expected);
    const double lam = std::stod(lambda);
    const at::Tensor v = values.slice(1, 0, steps);
    expect_close(gae(rewards[0], v[0].contiguous(), {0, 5}, {0.99, lam}), want[0], 1e-4, "row 0");
    expect_close(gae(rewards[1], v[1].contiguous(), {0, 4, 5}, {0.9, lam}), want[1], 1e-4, "row 1");
  }
}

TEST(Advantage, WithoutDiscountItIsTheReturnLessTheValue) {
  const at::Tensor rewards = at::tensor({0.5, -1.0, 2.0}, at::kDouble);
  const at::Tensor values = at::tensor({0.3, 0.1, -0.7}, at::kDouble);
  const at::Tensor returns = at::tensor({1.5, 1.0, 2.0}, at::kDouble);
  expect_close(gae(rewards, values, {0, 3}, {1.0, 1.0}), returns - values, kExact, "advantages");
}

TEST(Advantage, KlEstimatorsHaveTheirMeanAndSign) {
  // Drawn from p exactly: weighting by p turns the estimators into their expectations.
  const at::Tensor p = at::tensor({0.5, 0.3, 0.2}, at::kDouble);
  const at::Tensor q = at::tensor({0.4, 0.4, 0.2}, at::kDouble);
  const double kl = (p * (p / q).log()).sum().item<double>();
  const auto mean = [&](KlEstimator estimator) {
    return (p * kl_estimate(p.log(), q.log(), estimator)).sum().item<double>();
  };
  EXPECT_NEAR(mean(KlEstimator::k1), kl, 1e-15);
  EXPECT_NEAR(mean(KlEstimator::k3), kl, 1e-15);
  EXPECT_NEAR(mean(KlEstimator::k2), 0.5 * (p * (q / p).log().square()).sum().item<double>(),
              1e-15);
  EXPECT_GE(kl_estimate(p.log(), q.log(), KlEstimator::k3).min().item<double>(), 0.0);
  EXPECT_LT(kl_estimate(p.log(), q.log(), KlEstimator::k1).min().item<double>(), 0.0);
}

TEST(Whiten, MatchesTrl) {
  const Json& item = ppo_fixture().at("whiten");
  const at::Tensor values = tensor(item.at("values"));
  expect_close(whiten(values, moments(values)), tensor(item.at("whitened")), kTrlWhitened,
               "whitened");
  expect_close(whiten_keep_mean(values, moments(values)), tensor(item.at("whitened_keep_mean")),
               kTrlWhitened, "whitened_keep_mean");
}

TEST(Whiten, TwoUnequalRanksAreOneBatch) {
  const Json& item = ppo_fixture().at("whiten");
  const at::Tensor values = tensor(item.at("values"));
  const at::Tensor first = values.slice(0, 0, 4);
  const at::Tensor second = values.slice(0, 4);
  const Moments both = moments(first) + moments(second);
  expect_close(at::cat({whiten(first, both), whiten(second, both)}), tensor(item.at("whitened")),
               kTrlWhitened, "whitened");
}

TEST(Whiten, OneValueAndEqualValuesStayFinite) {
  const at::Tensor one = at::tensor({3.0f});
  EXPECT_EQ(whiten(one, moments(one)).item<float>(), 0.0f);
  const at::Tensor equal = at::full({100}, 0.1f);
  EXPECT_LT(whiten(equal, moments(equal)).abs().max().item<float>(), 1e-3f);
}

TEST(KlController, FollowsZieglersRule) {
  const Json& item = ppo_fixture().at("adaptive_kl");
  KlOptions options;
  options.adaptive = true;
  options.coef = item.at("coef").get<double>();
  options.target = item.at("target").get<double>();
  options.horizon = item.at("horizon").get<double>();
  KlController controller(options);
  KlController resumed(options);
  for (std::size_t i = 0; i < item.at("kl").size(); ++i) {
    const double kl = item.at("kl").at(i).get<double>();
    controller.update(kl, item.at("episodes").get<double>());
    EXPECT_NEAR(controller.coef(), item.at("expected").at(i).get<double>(), 1e-15);
    resumed.update(kl, item.at("episodes").get<double>());
    KlController next(options);
    next.restore(resumed.coef());
    resumed = next;
  }
  EXPECT_EQ(resumed.coef(), controller.coef());
}

TEST(KlController, FixedStays) {
  KlController controller(KlOptions{});
  controller.update(100.0, 64);
  EXPECT_EQ(controller.coef(), KlOptions{}.coef);
}

}  // namespace
}  // namespace plumb::test
