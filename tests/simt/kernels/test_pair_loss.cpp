// The pairwise loss against -log sigmoid in float64, its gradient against central differences.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/ops/pair_loss_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Case {
  std::vector<float> chosen, rejected, margin;  // no margin: null
  double centering;
};

struct Result {
  std::vector<float> grad_chosen, grad_rejected;
  std::vector<double> sums;
};

constexpr double kScale = 0.25;

Outcome run_loss(const Case& test, Result& result) {
  return run([&] {
    DeviceBuffer<float> chosen(test.chosen, "chosen"), rejected(test.rejected, "rejected"),
        margin(test.margin, "margin"), grad_chosen(chosen.size(), "grad_chosen"),
        grad_rejected(chosen.size(), "grad_rejected"),
        scale(std::vector<float>{static_cast<float>(kScale)}, "scale");
    DeviceBuffer<double> sums(kPairLossSums, "sums");
    launch_pair_loss({.grad_chosen = grad_chosen.data(),
                      .grad_rejected = grad_rejected.data(),
                      .sums = sums.data(),
                      .chosen = chosen.data(),
                      .rejected = rejected.data(),
                      .margin = test.margin.empty() ? nullptr : margin.data(),
                      .scale = scale.data(),
                      .pairs = chosen.size(),
                      .centering = static_cast<float>(test.centering)},
                     nullptr);
    result = {grad_chosen.host(), grad_rejected.host(), sums.host()};
  });
}

double loss_of(const Case& test, size_t i, double chosen, double rejected) {
  const double gap = chosen - rejected - (test.margin.empty() ? 0.0 : test.margin[i]);
  return -std::log(1 / (1 + std::exp(-gap))) + test.centering * std::pow(chosen + rejected, 2);
}

TEST(PairLossKernel, LossAndGradients) {
  for (const int64_t pairs : {0, 1, 7, 256, 1001}) {
    for (const double centering : {0.0, 0.01}) {
      SCOPED_TRACE(testing::Message() << pairs << " pairs, " << centering);
      Case test{normal_values<float>(pairs, 140, 2.0), normal_values<float>(pairs, 141, 2.0),
                normal_values<float>(pairs, 142), centering};
      test.margin = centering > 0 ? test.margin : std::vector<float>{};
      Result result;
      expect_clean(run_loss(test, result));
      double loss = 0, right = 0;
      std::vector<double> grad_chosen, grad_rejected;
      for (size_t i = 0; i < test.chosen.size(); ++i) {
        const double c = test.chosen[i], r = test.rejected[i];
        loss += loss_of(test, i, c, r);
        right += c > r ? 1 : 0;
        constexpr double kStep = 1e-5;
        const double by = kScale / (2 * kStep);
        grad_chosen.push_back(by *
                              (loss_of(test, i, c + kStep, r) - loss_of(test, i, c - kStep, r)));
        grad_rejected.push_back(by *
                                (loss_of(test, i, c, r + kStep) - loss_of(test, i, c, r - kStep)));
      }
      EXPECT_NEAR(result.sums[0], loss, 1e-6 * loss);
      EXPECT_EQ(result.sums[1], right);
      EXPECT_TRUE(all_near(result.grad_chosen, grad_chosen, 2e-6, 1e-8));
      EXPECT_TRUE(all_near(result.grad_rejected, grad_rejected, 2e-6, 1e-8));
    }
  }
}

TEST(PairLossKernel, FarApartRewardsStayFinite) {
  Result result;
  expect_clean(run_loss({{200.0f, -200.0f}, {-200.0f, 200.0f}, {}, 0.0}, result));
  EXPECT_EQ(result.sums[0], 400.0);
  EXPECT_EQ(result.grad_chosen, (std::vector<float>{-0.0f, -0.25f}));
  EXPECT_EQ(result.grad_rejected, (std::vector<float>{0.0f, 0.25f}));
}

}  // namespace
}  // namespace plumb::simt
