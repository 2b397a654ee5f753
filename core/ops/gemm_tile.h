// The kernel: a tile of kRows by kPanel sums held in registers, and how it enters the output.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/ops/gemm_plan.h"

namespace plumb::gemm_kernel {

// One product of a tile: a from row 0 of the output on, and the panel's b, both from the segment's
// first unit on.
template <class Number>
struct Operands {
  const Units<typename Number::Unit>* a;
  const typename Number::Unit* b;
  int64_t b_stride;
  int64_t units;
};

// The operands of one panel in a band of rows that has the same terms throughout.
template <class Number>
struct PanelOperands {
  const Operands<Number>* first;
  int64_t count;
};

// A tile's place in the output, and what is there already.
struct Target {
  const Problem* problem;
  int64_t row, column;
  bool is_first;  // pass: the output holds nothing yet
};

// body(row, register) for all of a tile: unrolled, so that the sums stay in registers from the
// first to the last.
template <int kTileRows, int kVecs, class Body>
PLUMB_INLINE void for_registers(const Body& body) {
#pragma GCC unroll 12
  for (int m = 0; m < kTileRows; ++m) {
#pragma GCC unroll 4
    for (int i = 0; i < kVecs; ++i) {
      body(m, i);
    }
  }
}

// Rows from `before` on (null: none), `stride` apart, enter the sums.
template <int kTileRows, int kVecs>
PLUMB_INLINE void finish(Vec (&acc)[kTileRows][kVecs], float scale, const float* before,
                         int64_t stride) {
  const Vec factor = broadcast(scale);
  for_registers<kTileRows, kVecs>([&](int m, int i) { acc[m][i] *= factor; });
  if (before != nullptr) {
    for_registers<kTileRows, kVecs>(
        [&](int m, int i) { acc[m][i] += load(before + m * stride + i * kLanes); });
  }
}

template <int kTileRows, int kVecs>
PLUMB_INLINE void store_dense(const Target& t, Vec (&acc)[kTileRows][kVecs]) {
  const Problem& p = *t.problem;
  float* out = p.out + t.row * p.out_row + t.column;
  if (!t.is_first) {
    finish(acc, p.scale, out, p.out_row);
  } else if (p.addend != nullptr) {
    finish(acc, p.scale, p.addend + t.row * p.addend_row + t.column, p.addend_row);
  } else {
    finish(acc, p.scale, nullptr, 0);
  }
  for_registers<kTileRows, kVecs>(
      [&](int m, int i) { store(out + m * p.out_row + i * kLanes, acc[m][i]); });
}

// Any width and strides.
template <int kTileRows, int kVecs>
void store_elements(const Target& t, Vec (&acc)[kTileRows][kVecs]) {
  const Problem& p = *t.problem;
  constexpr int kWidth = kVecs * kLanes;
  const int64_t width = std::min<int64_t>(kWidth, p.columns - t.column);
  float tile[kTileRows * kWidth] = {};
  float* out = p.out + t.row * p.out_row + t.column * p.out_column;
  for (int m = 0; m < kTileRows; ++m) {
    const float* addend = p.addend + (t.row + m) * p.addend_row + t.column;
    for (int64_t j = 0; j < width; ++j) {
      tile[m * kWidth + j] = !t.is_first           ? out[m * p.out_row + j * p.out_column]
                             : p.addend == nullptr ? 0.0f
                                                   : addend[j];
    }
  }
  finish(acc, p.scale, tile, kWidth);
  for_registers<kTileRows, kVecs>(
      [&](int m, int i) { store(tile + m * kWidth + i * kLanes, acc[m][i]); });
  for (int m = 0; m < kTileRows; ++m) {
    for (int64_t j = 0; j < width; ++j) {
      out[m * p.out_row + j * p.out_column] = tile[m * kWidth + j];
    }
  }
}

template <class Number, int kTileRows, int kVecs>
void compute_tile(const PanelOperands<Number>& operands, const Target& t) {
  Vec acc[kTileRows][kVecs];  // set to zero here one by one: "= {}" is a call of memset
  for_registers<kTileRows, kVecs>([&](int m, int i) { acc[m][i] = Vec{}; });
  for (int64_t i = 0; i < operands.count; ++i) {
    const Operands<Number>& o = operands.first[i];
    Number::multiply({o.a->data + t.row * o.a->row, o.a->row, o.a->column}, o.b, o.b_stride,
                     o.units, acc);
  }
  const bool is_dense =
      t.problem->out_column == 1 && t.column + kVecs * kLanes <= t.problem->columns;
  if (is_dense) {
    store_dense(t, acc);
  } else {
    store_elements(t, acc);
  }
}

template <class Number, int kTileRows>
void compute_panel(const PanelOperands<Number>& operands, const Target& t) {
  const int64_t vecs = divide_up(t.problem->columns - t.column, kLanes);
  if (vecs >= 3) {
    compute_tile<Number, kTileRows, 3>(operands, t);
  } else if (vecs == 2) {
    compute_tile<Number, kTileRows, 2>(operands, t);
  } else {
    compute_tile<Number, kTileRows, 1>(operands, t);
  }
}

// Tiles have 1, 2, 4 or kRows rows.
PLUMB_INLINE int64_t rows_at_once(int64_t rows) {
  return rows >= kRows ? kRows : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}

template <class Number>
void compute_rows(int64_t rows, const PanelOperands<Number>& operands, const Target& t) {
  switch (rows) {
    case 1:
      return compute_panel<Number, 1>(operands, t);
    case 2:
      return compute_panel<Number, 2>(operands, t);
    case 4:
      return compute_panel<Number, 4>(operands, t);
    default:
      return compute_panel<Number, kRows>(operands, t);
  }
}

}  // namespace plumb::gemm_kernel
