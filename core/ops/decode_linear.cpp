#include "core/ops/decode_linear.h"

#include <algorithm>

#include "core/ops/decode_vec.h"
#include "core/ops/decode_weight_rows.h"
#include "core/ops/spin_pool.h"

namespace plumb {
namespace {

using namespace decode;

// Outputs whose weights are kept close while all rows pass over them.
constexpr int kBlock = 16;
constexpr int kMostRows = std::min(8, kLanes);  // of a tile
// Multiply-adds that pay for another thread.
constexpr int64_t kWorkPerThread = 1 << 15;
// How far ahead of one row's stream of weights memory is asked for them.
constexpr int64_t kAhead = 2048;  // bytes
// Depth that all outputs of a block go through before any goes further: a tile's rows of x stay in
// the first-level cache.
constexpr int64_t kDepthAtOnce = 768;

// What all tiles of a call share. `low` has no values without an adapter.
struct Call {
  const float* x;
  int64_t num_rows;
  DecodeWeight main;
  const float* low_x;
  int64_t low_stride;
  DecodeWeight low;
  DecodeOutput out;
};

// A tile's rows of x.
template <int kRows>
struct Inputs {
  const float* rows[kRows];
};

// Rows from `row` on; those at num_rows and beyond do not exist, the last one stands in for them
// and its results are dropped.
template <int kRows>
PLUMB_INLINE Inputs<kRows> inputs_at(const float* x, int64_t stride, int64_t row,
                                     int64_t num_rows) {
  Inputs<kRows> inputs;
  for (int r = 0; r < kRows; ++r) {
    inputs.rows[r] = x + std::min(row + r, num_rows - 1) * stride;
  }
  return inputs;
}

// acc[r][o] += x(r) * weight(o) over one register of the depth.
template <int kRows, int kOuts, class LoadX, class LoadWeight>
PLUMB_INLINE void multiply_add(Vec (&acc)[kRows][kOuts], const LoadX& load_x,
                               const LoadWeight& load_weight) {
  Vec x[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    x[r] = in_register(load_x(r));
  }
#pragma GCC unroll 16
  for (int o = 0; o < kOuts; ++o) {
    const Vec w = load_weight(o);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      acc[r][o] += x[r] * w;
    }
  }
}

// Asks memory for weights that come later: of one row's stream, or those at the same place in the
// next block of outputs.
template <int kRows, int kOuts, class Row>
PLUMB_INLINE void fetch_ahead(const Row (&weights)[kOuts], int64_t k, int64_t depth) {
  for (int o = 0; o < kOuts; ++o) {
    if constexpr (kRows == 1) {
      __builtin_prefetch(weights[o].values + k + kAhead / sizeof(typename Row::Value));
    } else {
      __builtin_prefetch(weights[o].values + k + kBlock * depth, 0, 2);
    }
  }
}

// Part of the depth; `begin` and, but for the last part, `end` are whole registers.
struct DepthRange {
  int64_t begin, end;
};

// The order of additions for one (row, output) is: whole vectors of the depth in turn, then the
// rest as one vector that overlaps the last whole one, whose lanes seen before are masked to zero.
template <int kRows, int kOuts, class Row>
PLUMB_INLINE void accumulate(Vec (&acc)[kRows][kOuts], const Inputs<kRows>& inputs,
                             const Row (&weights)[kOuts], int64_t depth, const DepthRange& range) {
  int64_t k = range.begin;
  for (; k + kLanes <= range.end; k += kLanes) {
    fetch_ahead<kRows>(weights, k, depth);
    multiply_add(
        acc, [&](int r) { return load(inputs.rows[r] + k); },
        [&](int o) { return weights[o].at(k, k); });
  }
  const int64_t rest = range.end - k;
  if (rest == 0) {
    return;
  }
  if (depth < kLanes) {
    multiply_add(
        acc, [&](int r) { return load_part(inputs.rows[r], depth); },
        [&](int o) { return weights[o].part(depth); });
    return;
  }
  const int64_t last = depth - kLanes;
  const IntVec is_new = lane_index() >= static_cast<int32_t>(kLanes - rest);
  multiply_add(
      acc, [&](int r) { return is_new ? load(inputs.rows[r] + last) : Vec{}; },
      [&](int o) { return weights[o].at(last, k); });
}

// kOuts weight rows from `output`; beyond the last one it stands in likewise.
template <WeightFormat kFormat, int kRows, int... kOut>
PLUMB_INLINE void accumulate_rows(Vec (&acc)[kRows][sizeof...(kOut)], const Inputs<kRows>& inputs,
                                  const DecodeWeight& weight, int64_t output,
                                  const DepthRange& range, std::integer_sequence<int, kOut...>) {
  const int64_t last = weight.out_features - 1;
  const WeightRow<kFormat> rows[] = {{weight, std::min(output + kOut, last)}...};
  accumulate(acc, inputs, rows, weight.in_features, range);
}

// kRows rows by kLanes / kRows outputs: as many sums as one register holds results.
template <int kRows>
struct Tile {
  static constexpr int kOuts = kLanes / kRows;
  Vec acc[kRows][kOuts] = {};
};

template <WeightFormat kFormat, int kRows>
PLUMB_INLINE void add_main(Tile<kRows>& tile, const Call& call, int64_t row, int64_t output,
                           const DepthRange& range) {
  const auto inputs = inputs_at<kRows>(call.x, call.main.in_features, row, call.num_rows);
  accumulate_rows<kFormat>(tile.acc, inputs, call.main, output, range,
                           std::make_integer_sequence<int, Tile<kRows>::kOuts>());
}

template <int kRows>
PLUMB_INLINE void add_low(Tile<kRows>& tile, const Call& call, int64_t row, int64_t output) {
  if (call.low.values != nullptr) {
    const auto inputs = inputs_at<kRows>(call.low_x, call.low_stride, row, call.num_rows);
    accumulate_rows<WeightFormat::f32>(tile.acc, inputs, call.low, output,
                                       {0, call.low.in_features},
                                       std::make_integer_sequence<int, Tile<kRows>::kOuts>());
  }
}

// One row of x: weight rows one after another, as they lie in memory. Several at a time would be
// streams that the processor follows less well: half the speed from the cache.
template <WeightFormat kFormat>
PLUMB_INLINE Vec row_tile(const Call& call, int64_t row, int64_t output) {
  constexpr auto kOne = std::make_integer_sequence<int, 1>();
  const DepthRange whole{0, call.main.in_features}, whole_low{0, call.low.in_features};
  const auto main = inputs_at<1>(call.x, call.main.in_features, row, call.num_rows);
  const auto low = inputs_at<1>(call.low_x, call.low_stride, row, call.num_rows);
  Vec sums[kLanes];
  for (int o = 0; o < kLanes; ++o) {
    Vec acc[1][1] = {};
    accumulate_rows<kFormat>(acc, main, call.main, output + o, whole, kOne);
    if (call.low.values != nullptr) {
      accumulate_rows<WeightFormat::f32>(acc, low, call.low, output + o, whole_low, kOne);
    }
    sums[o] = acc[0][0];
  }
  return sum_lanes(sums);
}

// Adds what comes with the product and stores `count` <= kBlock outputs of a row.
PLUMB_INLINE void write(const Call& call, int64_t row, int64_t output, int64_t count, float* sums) {
  const int64_t at = row * call.out.y_stride + output;
  if (call.main.bias != nullptr) {
    for (int64_t i = 0; i < count; ++i) {
      sums[i] += call.main.bias[output + i];
    }
  }
  if (call.out.residual != nullptr) {
    for (int64_t i = 0; i < count; ++i) {
      sums[i] += call.out.residual[at + i];
    }
  }
  std::memcpy(call.out.y + at, sums, sizeof(float) * count);
}

// `before` with the depth from `begin` on and what comes with it: kLanes results.
template <WeightFormat kFormat, int kRows>
PLUMB_INLINE Vec finish(Tile<kRows> tile, const Call& call, int64_t row, int64_t output,
                        int64_t begin) {
  add_main<kFormat>(tile, call, row, output, {begin, call.main.in_features});
  add_low(tile, call, row, output);
  return sum_lanes(&tile.acc[0][0]);
}

// The results of a block's tiles.
template <WeightFormat kFormat, int kRows>
PLUMB_INLINE void block_tiles(const Call& call, int64_t row, int64_t output, int64_t tiles,
                              Vec* results) {
  for (int64_t t = 0; t < tiles; ++t) {
    results[t] =
        finish<kFormat, kRows>(Tile<kRows>{}, call, row, output + t * Tile<kRows>::kOuts, 0);
  }
}

// The same, of a depth that is more than kDepthAtOnce.
template <WeightFormat kFormat, int kRows>
void deep_block_tiles(const Call& call, int64_t row, int64_t output, int64_t tiles, Vec* results) {
  constexpr int kOuts = Tile<kRows>::kOuts;
  Tile<kRows> waiting[kBlock / kOuts];
  int64_t begin = 0;
  for (; call.main.in_features - begin > kDepthAtOnce; begin += kDepthAtOnce) {
    for (int64_t t = 0; t < tiles; ++t) {
      Tile<kRows> tile = waiting[t];
      add_main<kFormat>(tile, call, row, output + t * kOuts, {begin, begin + kDepthAtOnce});
      waiting[t] = tile;
    }
  }
  for (int64_t t = 0; t < tiles; ++t) {
    results[t] = finish<kFormat, kRows>(waiting[t], call, row, output + t * kOuts, begin);
  }
}

// kRows rows, or those there are, against the kBlock outputs from `output`, of which `count` exist.
template <WeightFormat kFormat, int kRows>
void row_block(const Call& call, int64_t row, int64_t output, int64_t count) {
  constexpr int kOuts = kLanes / kRows;
  const int64_t tiles = (count + kOuts - 1) / kOuts;
  Vec results[kBlock / kOuts];
  if constexpr (kRows == 1) {
    results[0] = row_tile<kFormat>(call, row, output);
  } else if (call.main.in_features > kDepthAtOnce) {
    deep_block_tiles<kFormat, kRows>(call, row, output, tiles, results);
  } else {
    block_tiles<kFormat, kRows>(call, row, output, tiles, results);
  }
  float sums[kRows][kBlock];
  for (int64_t t = 0; t < tiles; ++t) {
    float of_tile[kRows][kOuts];
    store(of_tile[0], results[t]);
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(sums[r] + t * kOuts, of_tile[r], sizeof(of_tile[r]));
    }
  }
  for (int r = 0; r < std::min<int64_t>(kRows, call.num_rows - row); ++r) {
    if (count == kBlock) {
      write(call, row + r, output, kBlock, sums[r]);
    } else {
      write(call, row + r, output, count, sums[r]);
    }
  }
}

// All rows against a block of outputs.
template <WeightFormat kFormat>
void block(const Call& call, int64_t output) {
  const int64_t count = std::min<int64_t>(kBlock, call.main.out_features - output);
  int64_t row = 0;
  for (; call.num_rows - row > kMostRows / 2; row += kMostRows) {
    row_block<kFormat, kMostRows>(call, row, output, count);
  }
  if (call.num_rows - row > 2) {
    row_block<kFormat, 4>(call, row, output, count);
  } else if (call.num_rows - row == 2) {
    row_block<kFormat, 2>(call, row, output, count);
  } else if (call.num_rows - row == 1) {
    row_block<kFormat, 1>(call, row, output, count);
  }
}

template <WeightFormat kFormat>
void run(const Call& call) {
  const int64_t blocks = (call.main.out_features + kBlock - 1) / kBlock;
  // A weight costs about as much to fetch as four rows to multiply.
  const int64_t block_work = kBlock * call.main.in_features * (call.num_rows + 3);
  spin_for(blocks, kWorkPerThread / block_work, [&call](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      block<kFormat>(call, i * kBlock);
    }
  });
}

}  // namespace

void decode_linear(const float* x, int64_t num_rows, const DecodeWeight& weight,
                   const DecodeLowRank& low_rank, const DecodeOutput& out) {
  const bool has_low_rank = low_rank.xa != nullptr;
  const DecodeWeight low{.values = has_low_rank ? low_rank.b : nullptr,
                         .out_features = weight.out_features,
                         .in_features = low_rank.rank};
  const Call call{x, num_rows, weight, low_rank.xa, low_rank.xa_stride, low, out};
  switch (weight.format) {
    case WeightFormat::f32:
      return run<WeightFormat::f32>(call);
    case WeightFormat::bf16:
      return run<WeightFormat::bf16>(call);
    case WeightFormat::int8:
      return run<WeightFormat::int8>(call);
  }
}

}  // namespace plumb
