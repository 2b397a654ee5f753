// Against torch's own log_softmax over whole logits, in float64.
#include "core/ops/token_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

struct HeadCase {
  at::Tensor hidden, weight, targets;
  double softcap = 0.0;

  LmHead lm() const { return {weight, softcap}; }
};

HeadCase make_head(int64_t rows, int64_t vocab, at::ScalarType type, double softcap = 0.0) {
  at::manual_seed(6);
  return {random_leaf({rows, 12}, type), random_leaf({vocab, 12}, type),
          at::randint(vocab, {rows}, at::kLong), softcap};
}

HeadCase exact(const HeadCase& head) {
  return {head.hidden.detach().to(at::kDouble).set_requires_grad(true),
          head.weight.detach().to(at::kDouble).set_requires_grad(true), head.targets, head.softcap};
}

TokenStats composed_stats(const HeadCase& head, double temperature) {
  at::Tensor logits = head.hidden.matmul(head.weight.t());
  if (head.softcap > 0) {
    logits = (logits / head.softcap).tanh() * head.softcap;
  }
  const at::Tensor log_p = at::log_softmax(logits / temperature, /*dim=*/-1);
  return {log_p.gather(1, head.targets.unsqueeze(1)).squeeze(1), -(log_p.exp() * log_p).sum(1)};
}

// A loss with both derivatives, other weights on each row: sum c logp^2 + d H.
TokenLoss curved_loss(const at::Tensor& c, const at::Tensor& d) {
  return [c, d](const TokenStats& rows, int64_t begin) {
    const int64_t count = rows.logprobs.size(0);
    const at::Tensor cs = c.narrow(0, begin, count).to(rows.logprobs.scalar_type());
    const at::Tensor ds = d.narrow(0, begin, count).to(rows.logprobs.scalar_type());
    const double loss = (cs * rows.logprobs.square() + ds * rows.entropy).sum().item<double>();
    return TokenLossChunk{loss, 2 * cs * rows.logprobs, ds};
  };
}

class TokenLossTypes : public testing::TestWithParam<at::ScalarType> {};

TEST_P(TokenLossTypes, LossAndGradientsMatchTheComposition) {
  const at::ScalarType type = GetParam();
  // 300 rows of 9000 logits are more than one chunk in both types.
  for (const auto& [rows, vocab] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {5, 3}, {70, 130}, {300, 9000}}) {
    for (const auto& [temperature, softcap] :
         std::vector<std::pair<double, double>>{{1.0, 0.0}, {0.7, 0.0}, {0.7, 3.0}}) {
      const HeadCase head = make_head(rows, vocab, type, softcap);
      const HeadCase reference = exact(head);
      const at::Tensor c = at::randn({rows}, at::kDouble), d = at::randn({rows}, at::kDouble);
      const at::Tensor got =
          token_loss(head.hidden, head.lm(), head.targets, temperature, curved_loss(c, d));
      const TokenStats stats = composed_stats(reference, temperature);
      const at::Tensor want = (c * stats.logprobs.square() + d * stats.entropy).sum();
      const double tolerance = type == at::kDouble ? 1e-11 : 2e-5;
      EXPECT_TRUE(all_close(got, want, tolerance, tolerance * static_cast<double>(rows)));
      (got * 3).backward();
      (want * 3).backward();
      const double scale = 1 + reference.weight.grad().abs().max().item<double>();
      EXPECT_TRUE(
          all_close(head.hidden.grad(), reference.hidden.grad(), tolerance, tolerance * scale));
      EXPECT_TRUE(
          all_close(head.weight.grad(), reference.weight.grad(), tolerance, tolerance * scale));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, TokenLossTypes, testing::Values(at::kFloat, at::kDouble),
                         [](const auto& tested) { return c10::toString(tested.param); });

TEST(TokenLoss, GradientsAgreeWithFiniteDifferences) {
  for (const double softcap : {0.0, 2.0}) {
    const HeadCase head = make_head(9, 11, at::kDouble, softcap);
    const at::Tensor c = at::randn({9}, at::kDouble), d = at::randn({9}, at::kDouble);
    EXPECT_LT(finite_difference_error(
                  [&] {
                    return token_loss(head.hidden, head.lm(), head.targets, 0.8, curved_loss(c, d));
                  },
                  {head.hidden, head.weight}),
              1e-8);
  }
}

TEST(TokenStats, MatchTheComposition) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const HeadCase head = make_head(300, 9000, type, 5.0);
    const TokenStats got = token_stats(head.hidden, head.lm(), head.targets, 1.3);
    const TokenStats want = composed_stats(exact(head), 1.3);
    const double tolerance = type == at::kDouble ? 1e-12 : 1e-5;
    EXPECT_TRUE(all_close(got.logprobs, want.logprobs, tolerance, tolerance));
    EXPECT_TRUE(all_close(got.entropy, want.entropy, tolerance, tolerance));
    EXPECT_FALSE(got.logprobs.requires_grad());
  }
}

// What a row gives must not depend on the chunk it falls in.
TEST(TokenLoss, ChunksDoNotChangeResults) {
  const HeadCase head = make_head(700, 9000, at::kFloat);
  const TokenStats all = token_stats(head.hidden, head.lm(), head.targets);
  for (const int64_t begin : {int64_t{0}, int64_t{13}, int64_t{399}}) {
    const TokenStats part = token_stats(head.hidden.narrow(0, begin, 301), head.lm(),
                                        head.targets.narrow(0, begin, 301));
    EXPECT_TRUE(all_close(part.logprobs, all.logprobs.narrow(0, begin, 301), 0.0, 1e-5));
    EXPECT_TRUE(all_close(part.entropy, all.entropy.narrow(0, begin, 301), 0.0, 1e-5));
  }
  int64_t next = 0;
  token_loss(head.hidden, head.lm(), head.targets, 1.0, [&](const TokenStats& rows, int64_t begin) {
    EXPECT_EQ(begin, next);
    next += rows.logprobs.size(0);
    EXPECT_LT(rows.logprobs.size(0), 700);
    return TokenLossChunk{0.0, at::zeros_like(rows.logprobs), {}};
  });
  EXPECT_EQ(next, 700);
}

TEST(TokenLoss, CrossEntropyIsTorchs) {
  const HeadCase head = make_head(40, 33, at::kFloat);
  const HeadCase reference = exact(head);
  const at::Tensor got = cross_entropy_sum(head.hidden, head.lm(), head.targets);
  const at::Tensor want = at::cross_entropy_loss(reference.hidden.matmul(reference.weight.t()),
                                                 reference.targets, {}, at::Reduction::Sum);
  EXPECT_EQ(got.dim(), 0);
  EXPECT_TRUE(all_close(got, want, 1e-6, 0.0));
}

TEST(TokenLoss, LargeLogitsLoseNothing) {
  // Exact in f32, where logits of this size lie 0.002 apart; softmax depends on their differences.
  const at::Tensor logits = at::arange(8, at::kDouble) * 0.25 + 30000;
  const at::Tensor weight = logits.to(at::kFloat).unsqueeze(1).set_requires_grad(true);
  const at::Tensor target = at::full({1}, 2, at::kLong);
  cross_entropy_sum(at::ones({1, 1}), {weight}, target).backward();
  at::Tensor want = at::softmax(logits, 0);
  want[2] -= 1;
  EXPECT_TRUE(all_close(weight.grad().squeeze(1), want, 1e-6, 1e-7));
}

TEST(TokenLoss, AFrozenHeadGetsNoGradient) {
  HeadCase head = make_head(5, 7, at::kFloat);
  head.weight = head.weight.detach();
  cross_entropy_sum(head.hidden, head.lm(), head.targets).backward();
  EXPECT_TRUE(head.hidden.grad().defined());
  EXPECT_FALSE(head.weight.grad().defined());
}

TEST(TokenLoss, NoRowsAreNoLoss) {
  const HeadCase head = make_head(0, 7, at::kFloat);
  const at::Tensor loss = cross_entropy_sum(head.hidden, head.lm(), head.targets);
  loss.backward();
  EXPECT_EQ(loss.item<float>(), 0.0f);
  EXPECT_TRUE(head.weight.grad().equal(at::zeros({7, 12})));
}

TEST(TokenLoss, RunsWithoutGradients) {
  const HeadCase head = make_head(5, 7, at::kFloat);
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(cross_entropy_sum(head.hidden, head.lm(), head.targets).requires_grad());
}

TEST(TokenLoss, ASecondBackwardIsRefused) {
  const HeadCase head = make_head(5, 7, at::kFloat);
  const at::Tensor loss = cross_entropy_sum(head.hidden, head.lm(), head.targets);
  loss.backward({}, /*retain_graph=*/true);
  try {
    loss.backward();
    FAIL() << "a second backward went through";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("backward a second time"));
  }
}

TEST(TokenLoss, RefusesTargetsOutsideTheVocabulary) {
  const HeadCase head = make_head(5, 7, at::kFloat);
  for (const int64_t target : {-100, 7}) {
    const at::Tensor targets = at::full({5}, target, at::kLong);
    EXPECT_THROW(cross_entropy_sum(head.hidden, head.lm(), targets), Error);
  }
  EXPECT_THROW(token_stats(head.hidden, head.lm(), head.targets, 0.0), Error);
}

}  // namespace
}  // namespace plumb
