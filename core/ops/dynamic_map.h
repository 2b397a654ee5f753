// The 256 values that an 8-bit code of bitsandbytes stands for ("dynamic tree quantisation",
// Dettmers et al. 2022, 2.2; bitsandbytes.functional.create_dynamic_map): ascending, seven decades
// of evenly spaced values, 0 and 1. Signed for averages, unsigned for squares and for scales.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>

namespace plumb {

inline constexpr int kDynamicDecades = 7;

// The bits of bitsandbytes' f32 map: interval ends as torch.linspace forms them, from both sides.
inline std::array<float, 256> dynamic_map(bool is_signed) {
  std::array<float, 256> map{};
  int count = 0;
  for (int decade = 0; decade < kDynamicDecades; ++decade) {
    const int intervals = (is_signed ? 1 : 2) << decade;
    const float step = (1.0f - 0.1f) / static_cast<float>(intervals);
    const auto bound = [&](int i) {
      return i < (intervals + 1) / 2 ? std::fma(step, static_cast<float>(i), 0.1f)
                                     : std::fma(-step, static_cast<float>(intervals - i), 1.0f);
    };
    const auto power = static_cast<float>(std::pow(10.0, decade - (kDynamicDecades - 1)));
    for (int i = 0; i < intervals; ++i) {
      const float value = power * ((bound(i) + bound(i + 1)) / 2.0f);
      map[count++] = value;
      if (is_signed) {
        map[count++] = -value;
      }
    }
  }
  map[count++] = 0.0f;
  map[count++] = 1.0f;
  std::sort(map.begin(), map.end());
  return map;
}

}  // namespace plumb
