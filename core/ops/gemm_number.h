// In which numbers a product's operands are multiplied; sums are f32 in both. A kernel reads
// operands as 32-bit units of depth: one f32, or two bf16 that lie next to each other in it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "core/ops/attention_tile.h"

namespace plumb::gemm_kernel {

using namespace decode;

// An operand's element or pair (m, u) lies at data[m * row + u * column].
template <class Unit>
struct Units {
  const Unit* data;
  int64_t row, column;
};

// The first `count` floats, zeros behind them; `count` may be any number.
PLUMB_INLINE Vec load_up_to(const float* from, int64_t count) {
  if (count >= kLanes) {
    return load(from);
  }
#if defined(__AVX512F__)
  const auto mask = static_cast<__mmask16>((1u << std::max<int64_t>(0, count)) - 1);
  return _mm512_maskz_loadu_ps(mask, from);
#else
  return load_part(from, count);
#endif
}

PLUMB_INLINE void store_up_to(void* to, Vec v, int64_t count) {
  if (count >= kLanes) {
    std::memcpy(to, &v, sizeof(v));
  } else {
    std::memcpy(to, &v, sizeof(float) * count);
  }
}

struct F32 {
  using Unit = float;
  static constexpr int64_t kDepth = 1;  // of a unit

  // Depth [k, end) of one column, a unit a lane.
  PLUMB_INLINE static Vec along_depth(const float* column, int64_t k, int64_t end) {
    return load_up_to(column + k, end - k);
  }
  // One unit of depth from kLanes columns; `next` is the row below, where a unit holds two.
  PLUMB_INLINE static Vec across(Vec row, Vec /*next*/) { return row; }

  template <int kRows, int kVecs>
  PLUMB_INLINE static void multiply(const Units<float>& a, const float* b, int64_t b_stride,
                                    int64_t units, Vec (&acc)[kRows][kVecs]) {
    tile::multiply({a.data, a.row, a.column}, b, b_stride, 0, units, acc);
  }
};

#if defined(__AVX512BF16__)
constexpr bool kMultipliesBf16 = true;

// Rounded to nearest, ties to even; products of pairs are summed by vdpbf16ps.
struct Bf16 {
  using Unit = uint32_t;
  static constexpr int64_t kDepth = 2;

  PLUMB_INLINE static __m512i rounded(Vec low, Vec high) {
    return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
  }
  // Words of the first half and of the second in turn.
  template <int... kOut>
  PLUMB_INLINE static Vec interleave(__m512i halves, std::integer_sequence<int, kOut...>) {
    using Words = int16_t __attribute__((vector_size(64)));
    const auto words = reinterpret_cast<Words>(halves);
    return reinterpret_cast<Vec>(
        __builtin_shufflevector(words, words, (kOut / 2 + kOut % 2 * kLanes)...));
  }
  PLUMB_INLINE static Vec along_depth(const float* column, int64_t k, int64_t end) {
    const Vec low = load_up_to(column + k, end - k);
    const Vec high = load_up_to(column + k + kLanes, end - k - kLanes);
    return reinterpret_cast<Vec>(rounded(low, high));
  }
  PLUMB_INLINE static Vec across(Vec row, Vec next) {
    return interleave(rounded(row, next), std::make_integer_sequence<int, 2 * kLanes>());
  }

  template <int kRows, int kVecs>
  PLUMB_INLINE static void multiply(const Units<uint32_t>& a, const uint32_t* b, int64_t b_stride,
                                    int64_t units, Vec (&acc)[kRows][kVecs]) {
    const uint32_t* left = a.data;
    for (int64_t u = 0; u < units; ++u) {
      __m512bh row[kVecs];
#pragma GCC unroll 4
      for (int i = 0; i < kVecs; ++i) {
        row[i] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + i * kLanes));
      }
#pragma GCC unroll 12
      for (int m = 0; m < kRows; ++m) {
        const auto pair =
            reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int32_t>(left[m * a.row])));
#pragma GCC unroll 4
        for (int i = 0; i < kVecs; ++i) {
          acc[m][i] = _mm512_dpbf16_ps(acc[m][i], pair, row[i]);
        }
      }
      left += a.column;
      b += b_stride;
    }
  }
};
#else
constexpr bool kMultipliesBf16 = false;
#endif

}  // namespace plumb::gemm_kernel
