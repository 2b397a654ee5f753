// Inputs and comparisons of kernel tests.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <sstream>
#include <vector>

#include "core/ops/cuda/kernel_types.h"
#include "tests/simt/cuda_half.h"

namespace plumb::simt {

inline double value_of(float value) {
  return value;
}
inline double value_of(__nv_bfloat16 value) {
  return __bfloat162float(value);
}

template <class T>
T as(double value);
template <>
inline float as<float>(double value) {
  return static_cast<float>(value);
}
template <>
inline __nv_bfloat16 as<__nv_bfloat16>(double value) {
  return __float2bfloat16_rn(static_cast<float>(value));
}

template <class T>
inline constexpr KernelDtype dtype_of = sizeof(T) == 2 ? KernelDtype::bf16 : KernelDtype::f32;

// Half a unit in the last place, relative: what one rounding to T costs.
template <class T>
inline constexpr double kRounding = sizeof(T) == 2 ? 0x1p-8 : 0x1p-24;

template <class T>
std::vector<T> normal_values(int64_t count, uint64_t seed, double scale = 1.0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0.0, scale);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) {
    value = as<T>(normal(random));
  }
  return values;
}

// |got - want| <= relative |want| + absolute everywhere; NaN is near nothing.
template <class T>
testing::AssertionResult all_near(const std::vector<T>& got, const std::vector<double>& want,
                                  double relative, double absolute) {
  if (got.size() != want.size()) {
    return testing::AssertionFailure() << got.size() << " values, want " << want.size();
  }
  int64_t wrong = 0;
  std::ostringstream first;
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = value_of(got[i]);
    if (!(std::abs(value - want[i]) <= relative * std::abs(want[i]) + absolute) && wrong++ == 0) {
      first << "the first at " << i << ": got " << value << ", want " << want[i];
    }
  }
  if (wrong == 0) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << wrong << " of " << got.size() << " differ, " << first.str();
}

// Both element types.
using Elements = testing::Types<float, __nv_bfloat16>;

}  // namespace plumb::simt
