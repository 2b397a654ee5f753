#include "core/ops/layer_norm.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

constexpr double kEps = 1e-5;

at::Tensor exactly(const at::Tensor& tensor) {
  return tensor.detach().to(at::kDouble).set_requires_grad(true);
}

// LibTorch's own layer_norm is the reference's reference.
TEST(LayerNorm, ItsReferenceIsThatOfTorch) {
  const at::Tensor x = at::randn({5, 12}, at::kDouble) + 3, w = at::randn({12}, at::kDouble);
  const at::Tensor b = at::randn({12}, at::kDouble);
  EXPECT_TRUE(
      all_close(layer_norm_ref(x, w, b, kEps), at::layer_norm(x, {12}, w, b, kEps), 1e-12, 1e-12));
}

TEST(LayerNorm, MatchesItsReferenceWithAllGradients) {
  at::manual_seed(1);
  for (const auto& [rows, width] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 2}, {3, 7}, {5, 128}, {9, 769}, {200, 33}, {0, 8}}) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(width));
    for (const auto type : {at::kDouble, at::kFloat}) {
      const at::Tensor x = random_leaf({rows, width}, type), w = random_leaf({width}, type);
      const at::Tensor b = random_leaf({width}, type);
      const at::Tensor exact_x = exactly(x), exact_w = exactly(w), exact_b = exactly(b);
      const at::Tensor weight = at::randn({rows, width}, at::kDouble);
      const at::Tensor y = layer_norm(x, w, b, kEps);
      const at::Tensor want = layer_norm_ref(exact_x, exact_w, exact_b, kEps);
      const double tolerance = type == at::kDouble ? 1e-11 : 2e-5;
      EXPECT_TRUE(all_close(y, want, tolerance, tolerance));
      const auto got = gradients(y, weight, {x, w, b});
      const auto wanted = gradients(want, weight, {exact_x, exact_w, exact_b});
      EXPECT_TRUE(all_close(got[0], wanted[0], tolerance, tolerance));
      EXPECT_TRUE(all_close(got[1], wanted[1], tolerance, tolerance * 4));
      EXPECT_TRUE(all_close(got[2], wanted[2], tolerance, tolerance * 4));
    }
  }
}

TEST(LayerNorm, FrozenWeightsGetNoGradient) {
  const at::Tensor x = random_leaf({4, 8}), w = at::ones({8}, at::kDouble);
  const at::Tensor b = at::zeros({8}, at::kDouble);
  layer_norm(x, w, b, kEps).square().sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
  EXPECT_FALSE(b.grad().defined());
}

// Values far from zero, close to one another: their squares would cancel.
TEST(LayerNorm, KeepsItsDigitsAtALargeMean) {
  const at::Tensor x = at::randn({4, 64}) + 1000, w = at::ones({64}), b = at::zeros({64});
  const at::Tensor want = at::layer_norm(x.to(at::kDouble), {64}, {}, {}, kEps);
  EXPECT_TRUE(all_close(layer_norm(x, w, b, kEps), want, 1e-3, 1e-3));
}

TEST(LayerNorm, AWeightsGradientHasTheSameBitsOnOneThread) {
  const at::Tensor x = at::randn({999, 64}), grad = at::randn({999, 64});
  const LayerNormStats stats = layer_norm_stats(x, kEps);
  const at::Tensor many = layer_norm_grad_w(grad, x, stats);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = layer_norm_grad_w(grad, x, stats);
  at::set_num_threads(before);
  EXPECT_TRUE(same_bits(one, many));
}

TEST(LayerNorm, RefusesAnotherWidthAndASecondDerivative) {
  const at::Tensor x = random_leaf({4, 8}), b = at::zeros({8}, at::kDouble);
  EXPECT_THROW(layer_norm(x, at::ones({7}, at::kDouble), b, kEps), Error);
  const at::Tensor y = layer_norm(x, at::ones({8}, at::kDouble), b, kEps).sum();
  EXPECT_THROW(torch::autograd::grad({y}, {x}, {}, true, /*create_graph=*/true), Error);
}

}  // namespace
}  // namespace plumb
