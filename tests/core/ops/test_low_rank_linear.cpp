#include "core/ops/low_rank_linear.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/ops/philox.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

LowRankUpdate update(int64_t begin, int64_t end, int64_t column, int64_t rank, int64_t outputs) {
  return {begin, end, column, random_leaf({rank, 6}), random_leaf({outputs, rank}), 1.7, {}};
}

// Two row groups with other adapters, two linears in one fused weight, rows that have none.
std::vector<LowRankUpdate> some_updates() {
  return {update(0, 4, 0, 3, 5), update(0, 4, 5, 2, 4), update(6, 9, 5, 4, 4)};
}

void expect_backward_matches(const std::vector<LowRankUpdate>& updates) {
  const at::Tensor x = random_leaf({10, 6}), w = random_leaf({9, 6});
  std::vector<at::Tensor> saved;
  const at::Tensor y = low_rank_linear(x.detach(), w.detach(), {}, updates, saved);
  const at::Tensor want = low_rank_linear_ref(x, w, {}, updates);
  EXPECT_TRUE(all_close(y, want, 1e-12, 1e-12));

  std::vector<at::Tensor> inputs{x};
  for (const LowRankUpdate& here : updates) {
    inputs.insert(inputs.end(), {here.a, here.b});
  }
  const at::Tensor weight = at::randn({10, 9}, at::kDouble);
  const auto wanted = gradients(want, weight, inputs);
  const at::NoGradGuard no_grad;
  const LowRankBackward step = low_rank_backward(w, updates, saved, weight, InputGradient::formed);
  const auto grad_a = low_rank_grad_a(updates, x, step.grad_narrow);
  EXPECT_TRUE(all_close(step.grad_x, wanted[0], 1e-12, 1e-12));
  for (std::size_t u = 0; u < updates.size(); ++u) {
    EXPECT_TRUE(all_close(grad_a[u], wanted[1 + 2 * u], 1e-12, 1e-12));
    EXPECT_TRUE(all_close(step.grad_b[u], wanted[2 + 2 * u], 1e-12, 1e-12));
  }
}

TEST(LowRankLinear, MatchesItsReferenceWithGradients) {
  at::manual_seed(2);
  expect_backward_matches(some_updates());
}

TEST(LowRankLinear, DropsTheSameElementsForwardAndBackward) {
  at::manual_seed(2);
  auto updates = some_updates();
  for (std::size_t u = 0; u < updates.size(); ++u) {
    updates[u].dropout = {0.4, 77, u, updates[u].begin};
  }
  expect_backward_matches(updates);
}

TEST(LowRankLinear, FrozenTensorsGetNothing) {
  LowRankUpdate frozen = update(0, 4, 0, 3, 5);
  frozen.a = frozen.a.detach();
  frozen.b = frozen.b.detach();
  const at::Tensor grad_y = at::randn({4, 5}, at::kDouble), narrow = at::randn({4, 3}, at::kDouble);
  const at::Tensor w = at::randn({5, 6}, at::kDouble);
  const LowRankBackward step =
      low_rank_backward(w, {frozen}, {narrow}, grad_y, InputGradient::left_out);
  EXPECT_FALSE(step.grad_x.defined());
  EXPECT_FALSE(step.grad_b[0].defined());
  EXPECT_FALSE(step.grad_narrow[0].defined());
  EXPECT_FALSE(low_rank_grad_a({frozen}, {}, step.grad_narrow)[0].defined());
}

TEST(LowRankLinear, RefusesShapesThatDoNotFit) {
  std::vector<at::Tensor> saved;
  LowRankUpdate wrong = update(0, 2, 0, 3, 5);
  wrong.b = at::randn({5, 2}, at::kDouble);
  EXPECT_THROW(low_rank_linear(at::randn({2, 6}, at::kDouble), at::randn({9, 6}, at::kDouble), {},
                               {wrong}, saved),
               Error);
}

TEST(Dropout, KeepsTheRightShareAndScalesIt) {
  const at::Tensor x = at::ones({400, 50});
  dropout_(x, {0.25, 9, 1, 0});
  const double kept = (x != 0).sum().item<double>() / static_cast<double>(x.numel());
  EXPECT_NEAR(kept, 0.75, 0.01);
  EXPECT_TRUE(all_close(x.max(), at::scalar_tensor(1 / 0.75), 1e-6, 0.0));
}

// The mask is a function of the element's place in the packed batch, of seed and of id.
TEST(Dropout, FollowsThePhiloxOfEachElement) {
  constexpr int64_t kWidth = 7;
  const at::Tensor x = at::ones({50, kWidth}, at::kDouble);
  dropout_(x, {0.5, 9, uint64_t{3} << 40 | 3, /*first_row=*/11});
  for (int64_t row = 0; row < 50; ++row) {
    for (int64_t column = 0; column < kWidth; ++column) {
      const uint64_t element = (11 + row) * kWidth + column;
      const auto words = random_words(9, Stream::dropout, uint64_t{3} << 40 | 3, element / 4);
      EXPECT_EQ(x[row][column].item<double>(), words[element % 4] >= 0x80000000u ? 2.0 : 0.0);
    }
  }
}

// Known answers of Random123 1.09 (tests/kat_vectors, philox4x32 10).
TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kAll = 0xffffffff;
  EXPECT_EQ(philox4x32({kAll, kAll, kAll, kAll}, {kAll, kAll}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

}  // namespace
}  // namespace plumb
