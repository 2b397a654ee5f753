// Operands laid out for the kernel: of b panels of kPanel columns side by side, a row a unit of
// depth; of a, where its numbers differ from f32, a copy in units.
#pragma once
#include "core/ops/gemm_kernel.h"
#include "core/ops/gemm_number.h"

namespace plumb::gemm_kernel {

constexpr int kPanelVecs = 3;
constexpr int kPanel = kPanelVecs * kLanes;

constexpr int64_t divide_up(int64_t x, int64_t by) {
  return (x + by - 1) / by;
}

// Columns [first, first + kPanel) of b and its depth [begin, end); columns outside [0, columns) are
// zeros.
struct PanelSource {
  View b;
  int64_t first;
  int64_t columns;
  int64_t begin, end;

  bool is_whole() const { return first >= 0 && first + kPanel <= columns; }
};

// b's columns are dense (a weight (out, in) read transposed): blocks of kLanes by kLanes units are
// turned.
template <class Number>
void pack_turned(const PanelSource& s, typename Number::Unit* to) {
  for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
    typename Number::Unit* out = to + lane;
    for (int64_t k = s.begin; k < s.end; k += kLanes * Number::kDepth) {
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        const int64_t column = s.first + lane + i;
        const bool exists = column >= 0 && column < s.columns;
        block[i] = exists ? Number::along_depth(s.b.data + column * s.b.column, k, s.end) : Vec{};
      }
      transpose(block);
      const int64_t units = std::min<int64_t>(kLanes, divide_up(s.end - k, Number::kDepth));
      for (int64_t i = 0; i < units; ++i, out += kPanel) {
        store_up_to(out, block[i], kLanes);
      }
    }
  }
}

// kLanes columns of row k of a panel.
PLUMB_INLINE Vec lanes_of(const PanelSource& s, int64_t k, int64_t lane) {
  const float* row = s.b.data + k * s.b.row;
  const int64_t column = s.first + lane;
  if (column >= 0) {
    return load_up_to(row + column, s.columns - column);
  }
  Vec v = {};  // a term that begins within the panel
  for (int i = 0; i < kLanes; ++i) {
    v[i] = column + i >= 0 && column + i < s.columns ? row[column + i] : 0.0f;
  }
  return v;
}

// b's rows are dense.
template <class Number>
void pack_rows(const PanelSource& s, typename Number::Unit* to) {
  for (int64_t k = s.begin; k < s.end; k += Number::kDepth, to += kPanel) {
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const Vec next = k + 1 < s.end && Number::kDepth == 2 ? lanes_of(s, k + 1, lane) : Vec{};
      store_up_to(to + lane, Number::across(lanes_of(s, k, lane), next), kLanes);
    }
  }
}

template <class Number>
void pack(const PanelSource& source, typename Number::Unit* to) {
  if (source.b.column == 1) {
    pack_rows<Number>(source, to);
  } else {
    pack_turned<Number>(source, to);
  }
}

// Rows [begin, end) of a (rows, depth) whose rows are dense, to units of depth one after another.
template <class Number>
void convert_rows(const View& a, int64_t depth, int64_t begin, int64_t end,
                  typename Number::Unit* to) {
  const int64_t units = divide_up(depth, Number::kDepth);
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t u = 0; u < units; u += kLanes) {
      const Vec v = Number::along_depth(a.data + row * a.row, u * Number::kDepth, depth);
      store_up_to(to + row * units + u, v, units - u);
    }
  }
}

// Units [begin, end) of the depth of a (rows, depth) whose columns are dense: to (units, rows).
template <class Number>
void convert_columns(const View& a, int64_t rows, int64_t depth, int64_t begin, int64_t end,
                     typename Number::Unit* to) {
  for (int64_t u = begin; u < end; ++u) {
    const int64_t k = u * Number::kDepth;
    const float* column = a.data + k * a.column;
    const float* next = k + 1 < depth ? column + a.column : nullptr;
    for (int64_t row = 0; row < rows; row += kLanes) {
      const Vec below = next == nullptr ? Vec{} : load_up_to(next + row, rows - row);
      const Vec v = Number::across(load_up_to(column + row, rows - row), below);
      store_up_to(to + u * rows + row, v, rows - row);
    }
  }
}

}  // namespace plumb::gemm_kernel
