// Products of the attention kernels: tiles of keys by kTile queries, with one operand's
// elements broadcast and the other's rows in registers, so that no operand needs packing for it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/ops/decode_vec.h"

namespace plumb::tile {

using namespace decode;

// Queries of a tile; its keys are a whole number of times as many. A multiple of every row count
// below and of kLanes.
constexpr int kTile = 48;
constexpr int kTileVecs = kTile / kLanes;

// Accumulators fill the registers: 24 of AVX-512's 32, else 12 of 16.
constexpr bool kManyRegisters = kLanes == 16;
constexpr int kMaxVecs = kManyRegisters ? 4 : 3;
// Rows that go with so many registers of columns.
constexpr int rows_for(int vecs) {
  return vecs == 1 ? 12 : (kManyRegisters ? 24 : 12) / vecs;
}
constexpr int kScoreRows = kManyRegisters ? 8 : 4;

constexpr int64_t round_up(int64_t x, int64_t to) {
  return (x + to - 1) / to * to;
}

// Which entries of a tile are visible: those with low <= key row - query lane <= high.
struct Band {
  static constexpr int64_t kUnbounded = 1 << 30;

  int64_t low = -kUnbounded;
  int64_t high = kUnbounded;

  bool covers(int64_t keys, int64_t queries) const {
    return high >= keys - 1 && low <= 1 - queries;
  }
  // No key is too far behind for lanes up to `last`.
  bool covers_past(int64_t last) const { return low <= -last; }
  // Keys that any of the queries [first, first + count) sees, within [0, keys).
  std::pair<int64_t, int64_t> keys_of(int64_t first, int64_t count, int64_t keys) const {
    const int64_t begin = std::clamp<int64_t>(first + low, 0, keys);
    return {begin, std::clamp(first + count + high, begin, keys)};
  }
  // Queries that see any of the keys [first, first + count), within [0, queries).
  std::pair<int64_t, int64_t> queries_of(int64_t first, int64_t count, int64_t queries) const {
    const int64_t begin = std::clamp<int64_t>(first - high, 0, queries);
    return {begin, std::clamp(first + count - low, begin, queries)};
  }
};

// Element (m, k) of a broadcast operand lies at data[m * row + k * column].
struct Broadcast {
  const float* data;
  int64_t row, column;
};

// kRows x kVecs registers of sum over k in [begin, end) of a(m, k) b[k][...].
template <int kRows, int kVecs>
PLUMB_INLINE void multiply(const Broadcast& a, const float* b, int64_t b_stride, int64_t begin,
                           int64_t end, Vec (&acc)[kRows][kVecs]) {
  const float* left = a.data + begin * a.column;
  const float* right = b + begin * b_stride;
  for (int64_t k = begin; k < end; ++k) {
    Vec row[kVecs];
#pragma GCC unroll 4
    for (int i = 0; i < kVecs; ++i) {
      row[i] = load(right + i * kLanes);
    }
#pragma GCC unroll 12
    for (int m = 0; m < kRows; ++m) {
      const Vec value = broadcast(left[m * a.row]);
#pragma GCC unroll 4
      for (int i = 0; i < kVecs; ++i) {
        acc[m][i] += value * row[i];
      }
    }
    left += a.column;
    right += b_stride;
  }
}

// Scores' products: out[key][query] = sum over d of rows[key][d] columns[d][query], rows `width`
// floats apart; entries out of the band may stay unwritten.
struct ScoreProduct {
  const float* rows;     // (keys rounded up to kScoreRows, width)
  const float* columns;  // (width, kTile): queries across
  int64_t depth;         // D
  int64_t width;
  int64_t keys, queries;
  Band band;
};

template <int kVecs>
PLUMB_INLINE void score_panel(const ScoreProduct& p, int64_t key, int64_t vec, float* out) {
  Vec acc[kScoreRows][kVecs] = {};
  multiply({p.rows + key * p.width, p.width, 1}, p.columns + vec * kLanes, kTile, 0, p.depth, acc);
  for (int m = 0; m < kScoreRows; ++m) {
    for (int i = 0; i < kVecs; ++i) {
      store(out + (key + m) * kTile + (vec + i) * kLanes, acc[m][i]);
    }
  }
}

inline void score_product(const ScoreProduct& p, float* out) {
  for (int64_t key = 0; key < p.keys; key += kScoreRows) {
    const auto [first, last] = p.band.queries_of(key, kScoreRows, p.queries);
    int64_t vec = first / kLanes;
    const int64_t end = (last + kLanes - 1) / kLanes;
    for (; vec + 3 <= end; vec += 3) {
      score_panel<3>(p, key, vec, out);
    }
    if (vec + 2 == end) {
      score_panel<2>(p, key, vec, out);
    } else if (vec + 1 == end) {
      score_panel<1>(p, key, vec, out);
    }
  }
}

// out[m][d] = out[m][d] * scale[m] + sum over k of a(m, k) b[k][d]: out and b are `width` wide, a
// whole number of registers. `scale` may be null: 1. Rows up to the next multiple of kRows are
// written; range(m, kRows) gives the k that the rows need.
struct RowProduct {
  Broadcast a;
  const float* b;
  int64_t width;
  int64_t rows;
  const float* scale;
  float* out;
};

template <int kRows, int kVecs, class Range>
void row_panel(const RowProduct& p, int64_t column, const Range& range) {
  for (int64_t m = 0; m < p.rows; m += kRows) {
    float* out = p.out + m * p.width + column;
    Vec acc[kRows][kVecs];
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kVecs; ++i) {
        acc[r][i] = load(out + r * p.width + i * kLanes);
      }
    }
    if (p.scale != nullptr) {
      for (int r = 0; r < kRows; ++r) {
        const Vec factor = broadcast(p.scale[m + r]);
        for (int i = 0; i < kVecs; ++i) {
          acc[r][i] *= factor;
        }
      }
    }
    const auto [begin, end] = range(m, kRows);
    multiply({p.a.data + m * p.a.row, p.a.row, p.a.column}, p.b + column, p.width, begin, end, acc);
    for (int r = 0; r < kRows; ++r) {
      for (int i = 0; i < kVecs; ++i) {
        store(out + r * p.width + i * kLanes, acc[r][i]);
      }
    }
  }
}

template <class Range>
PLUMB_INLINE void row_product(const RowProduct& p, const Range& range) {
  int64_t column = 0;
  int64_t panels = (p.width / kLanes + kMaxVecs - 1) / kMaxVecs;
  for (; panels > 0; --panels) {  // even panels: five registers as three and two
    const int64_t vecs = ((p.width - column) / kLanes + panels - 1) / panels;
    if (vecs == 1) {
      row_panel<rows_for(1), 1>(p, column, range);
    } else if (vecs == 2) {
      row_panel<rows_for(2), 2>(p, column, range);
    } else if (vecs == 3) {
      row_panel<rows_for(3), 3>(p, column, range);
    } else {
      row_panel<rows_for(kMaxVecs), kMaxVecs>(p, column, range);
    }
    column += vecs * kLanes;
  }
}

}  // namespace plumb::tile
