#include "ppo/ppo_loss.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <filesystem>

#include "tests/ppo/fixture.h"

namespace plumb::test {
namespace {

// f64 on both sides.
constexpr double kExact = 1e-12;
// TRL counts clipped places in f32.
constexpr double kCounted = 6e-8;

struct LossCase {
  at::Tensor logits, targets;  // (N, V), (N)
  PolicyTokens tokens;
};

LossCase read_case(const Json& item) {
  return {matrix(item.at("logits")),
          at::tensor(item.at("targets").get<std::vector<int64_t>>(), at::kLong),
          {tensor(item.at("old_logprobs")), tensor(item.at("advantages"))}};
}

TokenStats stats_of(const at::Tensor& logits, const at::Tensor& targets) {
  const at::Tensor all = logits.log_softmax(-1);
  return {all.gather(-1, targets.unsqueeze(-1)).squeeze(-1), -(all.exp() * all).sum(-1)};
}

// Runs the loss in chunks of `chunk` rows, as core/ops/token_loss does.
TokenLossChunk run_chunked(const TokenLoss& loss, const TokenStats& stats, int64_t chunk) {
  TokenLossChunk total;
  std::vector<at::Tensor> grad_logprobs, grad_entropy;
  for (int64_t begin = 0; begin < stats.logprobs.size(0); begin += chunk) {
    const TokenStats rows{stats.logprobs.slice(0, begin, begin + chunk),
                          stats.entropy.slice(0, begin, begin + chunk)};
    const TokenLossChunk part = loss(rows, begin);
    total.loss += part.loss;
    grad_logprobs.push_back(part.grad_logprobs);
    if (part.grad_entropy.defined()) grad_entropy.push_back(part.grad_entropy);
  }
  total.grad_logprobs = at::cat(grad_logprobs);
  if (!grad_entropy.empty()) total.grad_entropy = at::cat(grad_entropy);
  return total;
}

TEST(PolicyLoss, MatchesTrlInValueStatisticsAndGradient) {
  for (const Json& item : ppo_fixture().at("losses")) {
    const LossCase c = read_case(item);
    const auto num_tokens = static_cast<double>(c.targets.size(0));
    const TokenStats stats = stats_of(c.logits, c.targets);
    PolicyStats sums;
    const PolicyLossOptions options{.cliprange = item.at("cliprange").get<double>(),
                                    .num_tokens = num_tokens};
    const TokenLossChunk got = run_chunked(policy_loss(c.tokens, options, sums), stats, 3);
    EXPECT_NEAR(got.loss, item.at("pg_loss").get<double>(), kExact);
    EXPECT_NEAR(sums.loss / num_tokens, item.at("pg_loss").get<double>(), kExact);
    EXPECT_NEAR(sums.clipped / num_tokens, item.at("pg_clipfrac").get<double>(), kCounted);
    EXPECT_NEAR(sums.approxkl / num_tokens, item.at("approxkl").get<double>(), kExact);
    EXPECT_NEAR(sums.ratio / num_tokens, item.at("ratio").get<double>(), kExact);
    EXPECT_NEAR(sums.entropy / num_tokens, item.at("entropy").get<double>(), kExact);
    EXPECT_EQ(sums.tokens, num_tokens);

    // d logprob / d logits = onehot - softmax.
    const at::Tensor softmax = c.logits.softmax(-1);
    const at::Tensor one_hot = at::one_hot(c.targets, c.logits.size(1)).to(at::kDouble);
    const at::Tensor grad = got.grad_logprobs.unsqueeze(-1) * (one_hot - softmax);
    expect_close(grad, matrix(item.at("grad_logits")), kExact, "grad_logits");
  }
}

at::Tensor autograd_of(const at::Tensor& loss, const at::Tensor& input) {
  return torch::autograd::grad({loss}, {input}).at(0);
}

// Dual clip and entropy bonus are not in TRL: the formulas as the papers print them, differentiated
// by autograd.
TEST(PolicyLoss, DualClipAndEntropyMatchAutograd) {
  LossCase c = read_case(ppo_fixture().at("losses").at(0));
  c.tokens.old_logprobs = c.tokens.old_logprobs - 1.0;  // large ratios, so that the bound binds
  const auto num_tokens = static_cast<double>(c.targets.size(0));
  const PolicyLossOptions options{
      .cliprange = 0.2, .dual_clip = 2.5, .entropy_coef = 0.07, .num_tokens = num_tokens};

  const at::Tensor logits = c.logits.clone().requires_grad_();
  const TokenStats live = stats_of(logits, c.targets);
  const at::Tensor& a = c.tokens.advantages;
  const at::Tensor r = (live.logprobs - c.tokens.old_logprobs).exp();
  const at::Tensor surrogate = at::minimum(r * a, r.clamp(0.8, 1.2) * a);
  const at::Tensor bounded = at::where(a < 0, at::maximum(surrogate, 2.5 * a), surrogate);
  ASSERT_GT((bounded != surrogate).sum().item<int64_t>(), 0) << "the case must exercise the bound";
  const at::Tensor want = -bounded.mean() - 0.07 * live.entropy.mean();

  PolicyStats sums;
  const TokenStats stats = stats_of(c.logits, c.targets);
  const TokenLossChunk got = run_chunked(policy_loss(c.tokens, options, sums), stats, 4);
  EXPECT_NEAR(got.loss, want.item<double>(), kExact);

  // Chain ours through the same statistics.
  const at::Tensor through =
      (live.logprobs * got.grad_logprobs).sum() + (live.entropy * got.grad_entropy).sum();
  const at::Tensor grad = torch::autograd::grad({through}, {logits}, {}, true).at(0);
  expect_close(grad, autograd_of(want, logits), kExact, "grad_logits");
}

TEST(PolicyLoss, FirstMinibatchHasRatioOneAndThePolicyGradient) {
  const at::Tensor logprobs = at::tensor({-0.5, -1.5, -3.0}, at::kDouble);
  const PolicyTokens tokens{logprobs, at::tensor({1.0, -2.0, 0.5}, at::kDouble)};
  PolicyStats sums;
  const TokenLossChunk got =
      policy_loss(tokens, {.num_tokens = 3}, sums)({logprobs, at::zeros({3}, at::kDouble)}, 0);
  EXPECT_EQ(sums.ratio, 3.0);
  EXPECT_EQ(sums.approxkl, 0.0);
  EXPECT_EQ(sums.clipped, 0.0);
  expect_close(got.grad_logprobs, -tokens.advantages / 3, kExact, "grad_logprobs");
}

TEST(PolicyLoss, HugeLogRatioStaysFinite) {
  const PolicyTokens tokens{at::tensor({-200.0f, -0.1f}), at::tensor({-1.0f, 1.0f})};
  PolicyStats sums;
  const TokenStats rows{at::tensor({-0.1f, -200.0f}), at::zeros({2})};
  const TokenLossChunk got = policy_loss(tokens, {.num_tokens = 2}, sums)(rows, 0);
  EXPECT_TRUE(std::isfinite(got.loss));
  EXPECT_TRUE(at::isfinite(got.grad_logprobs).all().item<bool>());
}

TEST(PolicyLoss, MatchesRlax) {
  const std::string path = "../shared/data/numeric/gae_ppo_cases.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  const Json item = read_json(path).at("clipped_surrogate_pg_loss");
  const at::Tensor actions = at::tensor(item.at("actions").get<std::vector<int64_t>>(), at::kLong);
  const at::Tensor old = stats_of(matrix(item.at("old_logits")), actions).logprobs;
  const TokenStats stats = stats_of(matrix(item.at("logits")), actions);
  const at::Tensor advantages = matrix(item.at("advantages"));
  for (int64_t row = 0; row < advantages.size(0); ++row) {
    const PolicyTokens tokens{old, advantages[row].contiguous()};
    const PolicyLossOptions options{.cliprange = item.at("epsilon").get<double>(), .num_tokens = 3};
    PolicyStats sums;
    const double loss = policy_loss(tokens, options, sums)(stats, 0).loss;
    EXPECT_NEAR(loss, item.at("expected").at(row).get<double>(), 1e-5);
  }
}

TEST(ValueLoss, MatchesTrlInValueStatisticsAndGradient) {
  for (const Json& item : ppo_fixture().at("losses")) {
    const at::Tensor values = tensor(item.at("values")).requires_grad_();
    ValueStats sums;
    const at::Tensor total =
        value_loss_sum({values, tensor(item.at("old_values")), tensor(item.at("returns"))},
                       item.at("cliprange_value").get<double>(), sums);
    const auto states = static_cast<double>(values.size(0));
    EXPECT_NEAR(total.item<double>() / states, item.at("vf_loss").get<double>(), kExact);
    EXPECT_NEAR(sums.loss / states, item.at("vf_loss").get<double>(), kExact);
    EXPECT_NEAR(sums.clipped / states, item.at("vf_clipfrac").get<double>(), kCounted);
    const at::Tensor grad =
        autograd_of(total * (item.at("vf_coef").get<double>() / states), values);
    expect_close(grad, tensor(item.at("grad_values")), kExact, "grad_values");
  }
}

}  // namespace
}  // namespace plumb::test
