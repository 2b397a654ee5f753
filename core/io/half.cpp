#include <bit>
#include <cmath>

#include "core/io/ggml_types.h"

namespace plumb {
namespace {

constexpr std::uint32_t kSign = 0x8000'0000U;
constexpr std::uint32_t kInfinity = 0x7F80'0000U;

}  // namespace

std::uint16_t to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits & kSign) >> 16);
  const std::uint32_t size = bits & ~kSign;
  if (size > kInfinity) return sign | 0x7E00;      // NaN
  if (size >= 0x477F'F000U) return sign | 0x7C00;  // 65520 and more round to infinity
  if (size < 0x3880'0000U) {
    // Subnormal: in steps of 2^-24. Adding 0.5 lets the hardware round at that bit.
    const float aligned = std::bit_cast<float>(size) + 0.5F;
    return sign | static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(aligned) - 0x3F00'0000U);
  }
  const std::uint32_t rounded = size + 0x0FFFU + ((size >> 13) & 1U);
  return sign | static_cast<std::uint16_t>((rounded - 0x3800'0000U) >> 13);
}

float from_half(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0) {
    const float size = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -size : size;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFU : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

std::uint16_t to_bfloat16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & ~kSign) > kInfinity) return static_cast<std::uint16_t>((bits >> 16) | 64U);  // NaN
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace plumb
