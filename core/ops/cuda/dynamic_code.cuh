// From a value in [-1, 1] to the nearest of a dynamic map's 256 (core/ops/dynamic_map.h).
#pragma once
#include "core/ops/cuda/device.cuh"

namespace plumb {

// A code near that of |x|: its decade by comparison, its place in the decade by arithmetic. The map
// is not needed for it, so that a search takes a few steps from here instead of eight from nowhere.
template <bool kSigned>
__device__ __forceinline__ int near_code(float x) {
  const float size = fminf(fabsf(x), 1.0f);
  int decade = 6;
  float ten = 1.0f;  // 10^(6 - decade)
#pragma unroll
  for (int below = 0; below < 6; ++below) {
    if (size * ten < 0.1f) {
      ten *= 10.0f;
      --decade;
    }
  }
  const int intervals = (kSigned ? 1 : 2) << decade;
  const int place = static_cast<int>((size * ten - 0.1f) * (1.0f / 0.9f) * intervals);
  const int in_decade = place < 0 ? 0 : place >= intervals ? intervals - 1 : place;
  const int nth = intervals - (kSigned ? 1 : 2) + in_decade;  // of the values above 0
  if (!kSigned) {
    return nth + 1;
  }
  return x < 0.0f ? 126 - nth : 128 + nth;
}

// Where code `code` ends and the next begins.
__device__ __forceinline__ float dynamic_middle(const float* map, int code) {
  return (map[code] + map[code + 1]) * 0.5f;
}

// The nearest code; of two equally near, the lower. middle(code): dynamic_middle, code below 255.
template <bool kSigned, class Middle>
__device__ __forceinline__ int dynamic_code(float x, const Middle& middle) {
  int code = near_code<kSigned>(x);
  while (code < 255 && x > middle(code)) {
    ++code;
  }
  while (code > 0 && x <= middle(code - 1)) {
    --code;
  }
  return code;
}

}  // namespace plumb
