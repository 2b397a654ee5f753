#include "core/ops/activation.h"

#include <gtest/gtest.h>

#include "core/ops/vector_erf.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

struct Rule {
  const char* name;
  ActivationRule rule;
};

// For names of tests.
void PrintTo(const Rule& rule, std::ostream* out) {
  *out << rule.name;
}

class ActivationCase : public testing::TestWithParam<Rule> {};

TEST_P(ActivationCase, MatchesItsReferenceBothWays) {
  at::manual_seed(1);
  const ActivationRule rule = GetParam().rule;
  for (const int64_t width : {1, 7, 16, 172}) {
    for (const auto type : {at::kFloat, at::kDouble}) {
      const double tolerance = type == at::kFloat ? 2e-6 : 1e-13;
      const at::Tensor gate_up = random_leaf({5, (rule.is_gated ? 2 : 1) * width}, type, 3.0);
      const at::Tensor exact = gate_up.detach().to(at::kDouble).set_requires_grad(true);
      const at::Tensor want = activate_ref(exact, rule);
      EXPECT_TRUE(all_close(activate(gate_up.detach(), rule), want, tolerance, tolerance));

      const at::Tensor weight = at::randn({5, width}, at::kDouble);
      const auto grads = gradients(want, weight, {exact});
      const at::Tensor work = gate_up.detach().clone(), h = weight.to(type);
      activate_backward_(work, h, rule);
      EXPECT_TRUE(all_close(work, grads[0], tolerance, tolerance));
      EXPECT_TRUE(all_close(h, want, tolerance, tolerance));
    }
  }
}

TEST_P(ActivationCase, StaysFiniteFarOut) {
  const ActivationRule rule = GetParam().rule;
  const at::Tensor far = at::tensor({-1e4f, -100.f, 100.f, 1e4f});
  const at::Tensor gate_up = (rule.is_gated ? at::cat({far, at::ones({4})}) : far).unsqueeze(0);
  const at::Tensor h = activate(gate_up, rule);
  EXPECT_TRUE(all_close(h, at::tensor({0.f, 0.f, 100.f, 1e4f}).unsqueeze(0), 1e-6, 1e-30));
  const at::Tensor grad = at::ones({1, 4});
  activate_backward_(gate_up, grad, rule);
  EXPECT_TRUE(at::isfinite(gate_up).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Rules, ActivationCase,
                         testing::Values(Rule{"silu_gated", {Activation::silu, true}},
                                         Rule{"silu", {Activation::silu, false}},
                                         Rule{"gelu_gated", {Activation::gelu, true}},
                                         Rule{"gelu", {Activation::gelu, false}},
                                         Rule{"gelu_tanh_gated", {Activation::gelu_tanh, true}},
                                         Rule{"gelu_tanh", {Activation::gelu_tanh, false}},
                                         Rule{"relu_gated", {Activation::relu, true}},
                                         Rule{"relu", {Activation::relu, false}}),
                         [](const auto& tested) { return std::string(tested.param.name); });

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

TEST(VectorErf, IsWithinTwoTenMillionths) {
  double worst = 0.0;
  for (float x = -20.0f; x < 20.0f; x += 0.000537f) {
    const double exact = std::erf(static_cast<double>(x));
    worst = std::max(worst, std::abs(vector_erf(x) - exact) / std::abs(exact));
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(vector_erf(0.0f), 0.0f);
  EXPECT_EQ(vector_erf(1e30f), 1.0f);
  EXPECT_EQ(vector_erf(-1e30f), -1.0f);
}

}  // namespace
}  // namespace plumb
