#include "core/ops/swiglu.h"

#include <gtest/gtest.h>

#include "core/ops/vector_exp.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

TEST(Swiglu, MatchesItsReferenceBothWays) {
  at::manual_seed(1);
  for (const int64_t width : {1, 7, 16, 172}) {
    for (const auto type : {at::kFloat, at::kDouble}) {
      const double tolerance = type == at::kFloat ? 2e-6 : 1e-13;
      const at::Tensor gate_up = random_leaf({5, 2 * width}, type, 3.0);
      const at::Tensor exact = gate_up.detach().to(at::kDouble).set_requires_grad(true);
      const at::Tensor want = swiglu_ref(exact);
      EXPECT_TRUE(all_close(swiglu(gate_up.detach()), want, tolerance, tolerance));

      const at::Tensor weight = at::randn({5, width}, at::kDouble);
      const auto grads = gradients(want, weight, {exact});
      const at::Tensor work = gate_up.detach().clone(), h = weight.to(type);
      swiglu_backward_(work, h);
      EXPECT_TRUE(all_close(work, grads[0], tolerance, tolerance));
      EXPECT_TRUE(all_close(h, want, tolerance, tolerance));
    }
  }
}

TEST(Swiglu, StaysFiniteFarOut) {
  const at::Tensor gate_up =
      at::tensor({-1e4f, -100.f, 100.f, 1e4f, 1.f, 1.f, 1.f, 1.f}).reshape({1, 8});
  const at::Tensor h = swiglu(gate_up);
  EXPECT_TRUE(all_close(h, at::tensor({0.f, 0.f, 100.f, 1e4f}).reshape({1, 4}), 1e-6, 1e-30));
}

TEST(VectorExp, IsWithinTwoUnitsInTheLastPlace) {
  double worst = 0.0;
  for (float x = -86.9f; x < 87.9f; x += 0.00137f) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(vector_exp(x) - exact) / exact);
  }
  EXPECT_LT(worst, 2 * 1.2e-7);
  EXPECT_TRUE(std::isnan(vector_exp(std::nanf(""))));
  EXPECT_LT(vector_exp(-1e30f), 1e-37f);
  EXPECT_TRUE(std::isfinite(vector_exp(1e30f)));
}

}  // namespace
}  // namespace plumb
