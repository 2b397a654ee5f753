// __nv_bfloat16 and __half for a host compiler: storage types with conversions that give CUDA's
// bits (round to nearest even; every NaN becomes 0x7FFF, as cuda_bf16.h and cuda_fp16.h have it).
// Kernels compute in f32, so no arithmetic is offered.
#pragma once
#include <bit>
#include <cstdint>

#include "tests/simt/cuda_types.h"

namespace plumb::simt {

// NOLINTBEGIN: CUDA's names
struct __nv_bfloat16 {
  uint16_t bits;
};
struct __half {
  uint16_t bits;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};
struct alignas(4) __half2 {
  __half x, y;
};

inline float __bfloat162float(__nv_bfloat16 value) {
  return std::bit_cast<float>(uint32_t{value.bits} << 16);
}

inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  if (value != value) {
    return {0x7FFF};
  }
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return {static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}
inline __nv_bfloat16 __float2bfloat16(float value) {
  return __float2bfloat16_rn(value);
}

inline float __half2float(__half value) {
  return static_cast<float>(std::bit_cast<_Float16>(value.bits));
}
inline __half __float2half_rn(float value) {
  if (value != value) {
    return {0x7FFF};
  }
  return {std::bit_cast<uint16_t>(static_cast<_Float16>(value))};
}
inline __half __float2half(float value) {
  return __float2half_rn(value);
}

inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
inline __nv_bfloat162 __float22bfloat162_rn(float2 v) {
  return __floats2bfloat162_rn(v.x, v.y);
}
inline float2 __bfloat1622float2(__nv_bfloat162 v) {
  return {__bfloat162float(v.x), __bfloat162float(v.y)};
}
inline __half2 __floats2half2_rn(float x, float y) {
  return {__float2half_rn(x), __float2half_rn(y)};
}
inline __half2 __float22half2_rn(float2 v) {
  return __floats2half2_rn(v.x, v.y);
}
inline float2 __half22float2(__half2 v) {
  return {__half2float(v.x), __half2float(v.y)};
}

inline uint16_t __bfloat16_as_ushort(__nv_bfloat16 value) {
  return value.bits;
}
inline __nv_bfloat16 __ushort_as_bfloat16(uint16_t bits) {
  return {bits};
}
inline uint16_t __half_as_ushort(__half value) {
  return value.bits;
}
inline __half __ushort_as_half(uint16_t bits) {
  return {bits};
}
// NOLINTEND

}  // namespace plumb::simt
