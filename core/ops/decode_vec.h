// Short vectors for the decode kernels, by GCC's vector extension: one register of floats, whatever
// the machine's is. Every operation below rounds lane by lane in a fixed order, so what a kernel
// computes for a row depends neither on the other rows nor on the tile that the row fell into.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__SSE__)
#include <immintrin.h>
#endif

#define PLUMB_INLINE inline __attribute__((always_inline))

namespace plumb::decode {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

PLUMB_INLINE Vec load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

PLUMB_INLINE void store(float* to, Vec v) {
  std::memcpy(to, &v, sizeof(v));
}

// The first `count` < kLanes floats, zeros behind them.
PLUMB_INLINE Vec load_part(const float* from, int64_t count) {
  Vec v = {};
  for (int64_t i = 0; i < count; ++i) {
    v[i] = from[i];
  }
  return v;
}

// The same value, to stay in a register while it is used again: GCC would load it for each use.
PLUMB_INLINE Vec in_register(Vec v) {
#if defined(__SSE__)
  asm("" : "+v"(v));
#endif
  return v;
}

// Wider integers by name: GCC 12 converts such vectors lane by lane.
PLUMB_INLINE Vec widen_bf16(const uint16_t* from) {
  using Shorts = uint16_t __attribute__((vector_size(kLanes * sizeof(uint16_t))));
  using Words = uint32_t __attribute__((vector_size(kLanes * sizeof(uint32_t))));
  Shorts bits;
  std::memcpy(&bits, from, sizeof(bits));
#if defined(__AVX512F__)
  const Words words =
      reinterpret_cast<Words>(_mm512_maskz_cvtepu16_epi32(0xffff, reinterpret_cast<__m256i>(bits)));
#elif defined(__AVX2__)
  const Words words =
      reinterpret_cast<Words>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(bits)));
#else
  const Words words = __builtin_convertvector(bits, Words);
#endif
  return reinterpret_cast<Vec>(words << 16);
}

PLUMB_INLINE Vec widen_int8(const int8_t* from) {
  using Bytes = int8_t __attribute__((vector_size(kLanes)));
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
#if defined(__AVX512F__)
  const IntVec words = reinterpret_cast<IntVec>(
      _mm512_maskz_cvtepi8_epi32(0xffff, reinterpret_cast<__m128i>(bytes)));
#elif defined(__AVX2__)
  const IntVec words = reinterpret_cast<IntVec>(_mm256_cvtepi8_epi32(_mm_loadu_si64(from)));
#else
  const IntVec words = __builtin_convertvector(bytes, IntVec);
#endif
  return __builtin_convertvector(words, Vec);
}

// Subtracting zero changes nothing, -0 included, so the compiler drops it; adding zero would stay.
PLUMB_INLINE Vec broadcast(float value) {
  return value - Vec{};
}

PLUMB_INLINE IntVec lane_index() {
  IntVec v = {};
  for (int i = 0; i < kLanes; ++i) {
    v[i] = i;
  }
  return v;
}

// b where one is NaN. GCC sees the instruction behind a > b ? a : b only at times.
PLUMB_INLINE Vec max(Vec a, Vec b) {
#if defined(__AVX512F__)
  return _mm512_mask_max_ps(a, 0xffff, a, b);  // without a mask GCC 12 warns
#elif defined(__AVX__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE__)
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}

namespace detail {

// Lane l of row i + half takes what row i has in lane l - half, and the other way round: one step
// of a transposition, for the rows i with bit `half` clear.
template <int kHalf, int... kOut>
PLUMB_INLINE void exchange(Vec& a, Vec& b, std::integer_sequence<int, kOut...>) {
  const Vec first =
      __builtin_shufflevector(a, b, ((kOut & kHalf) ? kLanes + kOut - kHalf : kOut)...);
  b = __builtin_shufflevector(a, b, ((kOut & kHalf) ? kLanes + kOut : kOut + kHalf)...);
  a = first;
}

template <int kHalf>
PLUMB_INLINE void transpose_step(Vec* rows) {
  if constexpr (kHalf > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      if ((i & kHalf) == 0) {
        exchange<kHalf>(rows[i], rows[i + kHalf], std::make_integer_sequence<int, kLanes>());
      }
    }
    transpose_step<kHalf / 2>(rows);
  }
}

// Where lane `out` of "a's accumulators, then b's, each half as wide" comes from in (a, b).
template <int kWidth>
constexpr int source_lane(int out, int half) {
  const int from_b = out / (kLanes / 2);
  const int lane = out % (kLanes / 2);
  return from_b * kLanes + (lane / (kWidth / 2)) * kWidth + half * (kWidth / 2) +
         lane % (kWidth / 2);
}

template <int kWidth, int... kOut>
PLUMB_INLINE Vec fold(Vec a, Vec b, std::integer_sequence<int, kOut...>) {
  return __builtin_shufflevector(a, b, source_lane<kWidth>(kOut, 0)...) +
         __builtin_shufflevector(a, b, source_lane<kWidth>(kOut, 1)...);
}

template <int kWidth>
PLUMB_INLINE Vec sum_tree(const Vec* accumulators) {
  if constexpr (kWidth == 1) {
    return accumulators[0];
  } else {
    constexpr int kBelow = kWidth / 2;
    return fold<kLanes / kBelow>(sum_tree<kBelow>(accumulators),
                                 sum_tree<kBelow>(accumulators + kBelow),
                                 std::make_integer_sequence<int, kLanes>());
  }
}

}  // namespace detail

// Lane i of the result is the sum of the lanes of accumulators[i], for kLanes accumulators: halves
// are added, then quarters, and so on; the same order in every slot.
PLUMB_INLINE Vec sum_lanes(const Vec* accumulators) {
  return detail::sum_tree<kLanes>(accumulators);
}

// kLanes rows of kLanes.
PLUMB_INLINE void transpose(Vec (&rows)[kLanes]) {
  detail::transpose_step<kLanes / 2>(rows);
}

}  // namespace plumb::decode
