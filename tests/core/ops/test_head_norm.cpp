#include "core/ops/head_norm.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/ops/rms_norm.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

constexpr double kEps = 1e-6;

// Heads of a fused q|k|v: rows further apart than the heads are long.
TEST(HeadNorm, MatchesRmsNormOfEveryHeadBothWays) {
  at::manual_seed(1);
  for (const auto& [rows, heads, dim] :
       std::vector<std::array<int64_t, 3>>{{1, 1, 2}, {5, 3, 8}, {130, 2, 6}}) {
    for (const auto type : {at::kDouble, at::kFloat}) {
      const double tolerance = type == at::kDouble ? 1e-12 : 2e-5;
      const at::Tensor fused = at::randn({rows, (heads + 2) * dim}, type);
      const at::Tensor x = fused.narrow(1, dim, heads * dim).unflatten(1, {heads, dim});
      const at::Tensor w = at::randn({dim}, type);
      const at::Tensor exact_x = x.to(at::kDouble).clone().set_requires_grad(true);
      const at::Tensor exact_w = w.to(at::kDouble).clone().set_requires_grad(true);
      const at::Tensor want = rms_norm_ref(exact_x, exact_w, kEps);
      const at::Tensor y = at::empty({rows, heads, dim}, type);
      head_norm(x, w, kEps, y);
      EXPECT_TRUE(all_close(y, want, tolerance, tolerance));

      const at::Tensor weight = at::randn({rows, heads, dim}, at::kDouble);
      const auto wanted = gradients(want, weight, {exact_x, exact_w});
      const at::Tensor grad = weight.to(type);
      const at::Tensor grad_w = head_norm_backward_(grad, {x, w, kEps, true});
      EXPECT_TRUE(all_close(grad, wanted[0], tolerance, tolerance));
      EXPECT_TRUE(all_close(grad_w, wanted[1], tolerance, tolerance * 10));
      EXPECT_FALSE(head_norm_backward_(grad, {x, w, kEps, false}).defined());
    }
  }
}

TEST(HeadNorm, RefusesAnotherWidth) {
  const at::Tensor x = at::randn({4, 2, 8});
  EXPECT_THROW(head_norm(x, at::ones({4}), kEps, at::empty_like(x)), Error);
}

}  // namespace
}  // namespace plumb
