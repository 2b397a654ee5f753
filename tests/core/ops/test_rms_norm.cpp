#include "core/ops/rms_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

constexpr double kEps = 1e-5;

TEST(RmsNorm, MatchesItsReferenceWithAllGradients) {
  at::manual_seed(1);
  for (const auto& [rows, width] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {3, 7}, {5, 128}, {9, 769}, {200, 33}, {0, 8}}) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(width));
    for (const auto type : {at::kDouble, at::kFloat}) {
      const at::Tensor x = random_leaf({rows, width}, type), w = random_leaf({width}, type);
      const at::Tensor exact_x = x.detach().to(at::kDouble).set_requires_grad(true);
      const at::Tensor exact_w = w.detach().to(at::kDouble).set_requires_grad(true);
      const at::Tensor weight = at::randn({rows, width}, at::kDouble);
      const at::Tensor y = rms_norm(x, w, kEps);
      const at::Tensor want = rms_norm_ref(exact_x, exact_w, kEps);
      const double tolerance = type == at::kDouble ? 1e-12 : 2e-5;
      EXPECT_TRUE(all_close(y, want, tolerance, tolerance));
      const auto got = gradients(y, weight, {x, w});
      const auto wanted = gradients(want, weight, {exact_x, exact_w});
      EXPECT_TRUE(all_close(got[0], wanted[0], tolerance, tolerance));
      EXPECT_TRUE(all_close(got[1], wanted[1], tolerance, tolerance * 4));
    }
  }
}

TEST(RmsNorm, AFrozenWeightGetsNoGradient) {
  const at::Tensor x = random_leaf({4, 8}), w = at::ones({8}, at::kDouble);
  rms_norm(x, w, kEps).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST(RmsNorm, RefusesAnotherWidthAndASecondDerivative) {
  const at::Tensor x = random_leaf({4, 8});
  EXPECT_THROW(rms_norm(x, at::ones({7}, at::kDouble), kEps), Error);
  const at::Tensor y = rms_norm(x, at::ones({8}, at::kDouble), kEps).sum();
  EXPECT_THROW(torch::autograd::grad({y}, {x}, {}, true, /*create_graph=*/true), Error);
}

}  // namespace
}  // namespace plumb
