// exp and tanh that the compiler turns into vector code: libm's is a call for each element.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace plumb {

// Within 2 ulp of exp on [-87, 88] and held at the ends outside, so that no sum of weights becomes
// infinite; NaN stays NaN. Range reduction and polynomial of Cephes' expf: x = n ln 2 + r.
inline float vector_exp(float x) {
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f;
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = x - n * kLn2High - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float mantissa = p * r * r + r + 1.0f;
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) << 23) + 0x3f800000u;  // bits of 2^n
  return mantissa * std::bit_cast<float>(power);
}

// float64 serves the tests: libm's own.
inline double vector_exp(double x) {
  return std::exp(x);
}

// Within 3 ulp of tanh, small x included: Cephes' tanhf, an odd polynomial below 0.625 and
// 1 - 2 / (e^2|x| + 1) above.
inline float vector_tanh(float x) {
  const float size = std::abs(x), square = x * x;
  float p = -5.70498872745e-3f;
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const float near = p * square * x + x;
  const float far = std::copysign(1.0f - 2.0f / (vector_exp(2.0f * size) + 1.0f), x);
  return size < 0.625f ? near : far;
}

inline double vector_tanh(double x) {
  return std::tanh(x);
}

}  // namespace plumb
