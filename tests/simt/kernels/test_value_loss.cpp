// The clipped value loss against its formula in float64, its gradient against central differences
// and against TRL's PPOTrainer (make_ppo.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ops/value_loss_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Case {
  std::vector<float> values, old_values, returns;
  double cliprange, scale;
};

struct Result {
  std::vector<float> grad;
  std::vector<double> sums;
};

Outcome run_loss(const Case& test, Result& result) {
  return run([&] {
    DeviceBuffer<float> values(test.values, "values"), old(test.old_values, "old_values"),
        returns(test.returns, "returns"), grad(values.size(), "grad_values"),
        scale(std::vector<float>{static_cast<float>(test.scale)}, "scale");
    DeviceBuffer<double> sums(kValueLossSums, "sums"),
        partial(value_loss_scratch(values.size()), "partial");
    launch_value_loss({.grad_values = grad.data(),
                       .sums = sums.data(),
                       .partial = partial.data(),
                       .values = values.data(),
                       .old_values = old.data(),
                       .returns = returns.data(),
                       .scale = scale.data(),
                       .count = values.size(),
                       .cliprange = static_cast<float>(test.cliprange)},
                      nullptr);
    result = {grad.host(), sums.host()};
  });
}

struct Squares {
  double plain, clipped;
};
Squares squares_of(const Case& test, size_t i, double value) {
  const double clip = test.cliprange, old = test.old_values[i], target = test.returns[i];
  const double near = std::clamp(value, old - clip, old + clip);
  return {std::pow(value - target, 2), std::pow(near - target, 2)};
}

TEST(ValueLossKernel, LossClipsAndGradient) {
  for (const int64_t count : {0, 1, 300, 4096, 5001}) {
    SCOPED_TRACE(count);
    const Case test{normal_values<float>(count, 130), normal_values<float>(count, 131),
                    normal_values<float>(count, 132), 0.3, 0.125};
    Result result;
    expect_clean(run_loss(test, result));
    double loss = 0, clips = 0;
    std::vector<double> grad;
    for (size_t i = 0; i < test.values.size(); ++i) {
      const Squares at = squares_of(test, i, test.values[i]);
      loss += std::max(at.plain, at.clipped) / 2;
      clips += at.clipped > at.plain ? 1 : 0;
      constexpr double kStep = 1e-6;
      const Squares up = squares_of(test, i, test.values[i] + kStep);
      const Squares down = squares_of(test, i, test.values[i] - kStep);
      grad.push_back(test.scale *
                     (std::max(up.plain, up.clipped) - std::max(down.plain, down.clipped)) /
                     (4 * kStep));
    }
    EXPECT_NEAR(result.sums[0], loss, 1e-6 * loss);
    EXPECT_NEAR(result.sums[1], clips, 1.0);  // rounding may turn one over
    EXPECT_TRUE(all_near(result.grad, grad, 1e-6, 1e-7));
  }
}

// Autograd gives each of two equal squares half: v and its clip equally far from R.
TEST(ValueLossKernel, EqualSquares) {
  Result result;
  expect_clean(run_loss({{2.0f}, {0.0f}, {1.25f}, 0.5, 1.0}, result));
  EXPECT_EQ(result.grad[0], 0.375f);
}

TEST(ValueLossKernel, MatchesTrl) {
  const auto json = nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/ppo.json"));
  for (const auto& item : json["losses"]) {
    const auto floats = [&](const char* key) { return item[key].get<std::vector<float>>(); };
    const auto states = static_cast<double>(item["values"].size());
    Result result;
    expect_clean(
        run_loss({floats("values"), floats("old_values"), floats("returns"),
                  item["cliprange_value"].get<double>(), item["vf_coef"].get<double>() / states},
                 result));
    EXPECT_NEAR(result.sums[0] / states, item["vf_loss"].get<double>(), 1e-6);
    EXPECT_NEAR(result.sums[1] / states, item["vf_clipfrac"].get<double>(), 1e-6);
    EXPECT_TRUE(all_near(result.grad, item["grad_values"].get<std::vector<double>>(), 2e-6, 1e-7));
  }
}

TEST(ValueLossKernel, MovesItsFloor) {
  const Case test{normal_values<float>(8192, 133), normal_values<float>(8192, 134),
                  normal_values<float>(8192, 135), 0.3, 1.0};
  Result result;
  expect_streaming(run_loss(test, result), 4 * 8192 * 4 + 200);
}

}  // namespace
}  // namespace plumb::simt
