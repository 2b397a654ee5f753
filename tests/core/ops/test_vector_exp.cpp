#include "core/ops/vector_exp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/ops/attention_scores.h"

namespace plumb {
namespace {

// Of the nearest f32 to the truth.
double ulps(float got, double want) {
  const auto nearest = static_cast<float>(std::abs(want));
  const double ulp = std::nextafter(nearest, INFINITY) - nearest;
  return std::abs(got - want) / ulp;
}

template <class Function, class Truth>
double worst_ulps(double from, double to, const Function& function, const Truth& truth) {
  double worst = 0;
  constexpr int kSteps = 400000;
  for (int i = 0; i <= kSteps; ++i) {
    const auto x = static_cast<float>(from + (to - from) * i / kSteps);
    worst = std::max(worst, ulps(function(x), truth(static_cast<double>(x))));
  }
  return worst;
}

float exp2_of(float x) {
  return tile::exp2(tile::broadcast(x))[0];
}

TEST(VectorExp, IsWithinTwoUlp) {
  EXPECT_LE(
      worst_ulps(
          -87, 88, [](float x) { return vector_exp(x); }, [](double x) { return std::exp(x); }),
      2.0);
}

TEST(VectorExp, TanhIsWithinThreeUlpSmallOnesIncluded) {
  for (const double size : {1e-6, 0.02, 0.7, 3.0, 20.0}) {
    EXPECT_LE(worst_ulps(
                  -size, size, [](float x) { return vector_tanh(x); },
                  [](double x) { return std::tanh(x); }),
              3.0)
        << size;
  }
}

TEST(VectorExp, PowersOfTwoOfTheTilesAreCloseAndZeroFarBelow) {
  for (const double from : {-1.0, -30.0, -125.0}) {
    EXPECT_LE(worst_ulps(from, 1, exp2_of, [](double x) { return std::exp2(x); }), 2.1) << from;
  }
  EXPECT_EQ(exp2_of(0), 1.0f);
  EXPECT_EQ(exp2_of(-127), 0.0f);
  EXPECT_EQ(exp2_of(-1e30f), 0.0f);
}

}  // namespace
}  // namespace plumb
