// Panels of the right operand as the kernel reads them: kPanel columns side by side, a row a unit
// of depth.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/ops/attention_tile.h"
#include "core/ops/gemm_kernel.h"

namespace plumb::gemm_kernel {

using namespace decode;

constexpr int kPanelVecs = 3;
constexpr int kPanel = kPanelVecs * kLanes;

// Columns [first, first + kPanel) of b and its depth [begin, end); columns outside [0, columns) are
// zeros.
struct PanelSource {
  View b;
  int64_t first;
  int64_t columns;
  int64_t begin, end;

  bool is_whole() const { return first >= 0 && first + kPanel <= columns; }
};

// `count` may be kLanes.
PLUMB_INLINE Vec load_up_to(const float* from, int64_t count) {
  return count >= kLanes ? load(from) : load_part(from, count);
}

// b's columns are dense (a weight (out, in) read transposed): blocks of kLanes by kLanes are
// turned.
inline void pack_turned(const PanelSource& s, float* to) {
  for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
    for (int64_t k = s.begin; k < s.end; k += kLanes) {
      const int64_t depth = std::min<int64_t>(kLanes, s.end - k);
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        const int64_t column = s.first + lane + i;
        const bool exists = column >= 0 && column < s.columns;
        block[i] = exists ? load_up_to(s.b.data + column * s.b.column + k, depth) : Vec{};
      }
      transpose(block);
      for (int64_t i = 0; i < depth; ++i) {
        store(to + (k - s.begin + i) * kPanel + lane, block[i]);
      }
    }
  }
}

// b's rows are dense.
inline void pack_rows(const PanelSource& s, float* to) {
  for (int64_t k = s.begin; k < s.end; ++k, to += kPanel) {
    const float* from = s.b.data + k * s.b.row + s.first;
    if (s.is_whole()) {
      for (int i = 0; i < kPanelVecs; ++i) {
        store(to + i * kLanes, load(from + i * kLanes));
      }
      continue;
    }
    for (int64_t j = 0; j < kPanel; ++j) {
      const int64_t column = s.first + j;
      to[j] = column >= 0 && column < s.columns ? from[j] : 0.0f;
    }
  }
}

inline void pack(const PanelSource& s, float* to) {
  if (s.b.column == 1) {
    pack_rows(s, to);
  } else {
    pack_turned(s, to);
  }
}

}  // namespace plumb::gemm_kernel
