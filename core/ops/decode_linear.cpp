#include "core/ops/decode_linear.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/ops/decode_vec.h"

namespace plumb {
namespace {

using namespace decode;

// Outputs whose weights are kept close while all rows pass over them.
constexpr int64_t kBlock = 16;
// Multiply-adds that pay for waking another thread.
constexpr int64_t kWorkPerThread = 1 << 17;

// One product's operands at a tile: `kRows` rows of x against weight rows of length `depth`.
struct Operands {
  const float* x;
  const float* w;
  int64_t depth;
};

// acc[r][o] += x[r] * w[o] over one vector of the depth. kOuts weight rows; only `valid` of them
// exist, the last one stands in for the others and its results are dropped.
template <int kRows, int kOuts, class Load>
PLUMB_INLINE void multiply_add(Vec (&acc)[kRows][kOuts], const Vec (&x)[kRows],
                               const float* const (&w)[kOuts], const Load& load_w) {
  for (int o = 0; o < kOuts; ++o) {
    const Vec weights = load_w(w[o]);
    for (int r = 0; r < kRows; ++r) {
      acc[r][o] += x[r] * weights;
    }
  }
}

// The order of additions for one (row, output) is: whole vectors of the depth in turn, then the
// rest as one vector that overlaps the last whole one, whose lanes seen before are masked to zero.
template <int kRows, int kOuts>
PLUMB_INLINE void accumulate(Vec (&acc)[kRows][kOuts], const Operands& operands, int valid) {
  const int64_t depth = operands.depth;
  const float* w[kOuts];
  for (int o = 0; o < kOuts; ++o) {
    w[o] = operands.w + std::min(o, valid - 1) * depth;
  }
  Vec x[kRows];
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    for (int r = 0; r < kRows; ++r) {
      x[r] = load(operands.x + r * depth + k);
    }
    multiply_add(acc, x, w, [k](const float* row) { return load(row + k); });
  }
  const int64_t rest = depth - k;
  if (rest == 0) {
    return;
  }
  if (depth < kLanes) {
    for (int r = 0; r < kRows; ++r) {
      x[r] = load_part(operands.x + r * depth, depth);
    }
    multiply_add(acc, x, w, [depth](const float* row) { return load_part(row, depth); });
    return;
  }
  const int64_t last = depth - kLanes;
  const IntVec is_new = lane_index() >= static_cast<int32_t>(kLanes - rest);
  for (int r = 0; r < kRows; ++r) {
    x[r] = is_new ? load(operands.x + r * depth + last) : Vec{};
  }
  multiply_add(acc, x, w, [last](const float* row) { return load(row + last); });
}

// What all tiles of a call share. `low` is x A^T against B; its w is null without an adapter.
struct Call {
  Operands main;
  Operands low;
  const float* bias;
  DecodeOutput out;
  int64_t num_rows;
  int64_t num_outputs;
};

PLUMB_INLINE Operands at_tile(const Operands& whole, int64_t row, int64_t output) {
  return {whole.x + row * whole.depth, whole.w + output * whole.depth, whole.depth};
}

// Values are gathered before any is stored: y may be the residual, and the compiler need not fear
// that it is more.
template <int kRows, int kOuts>
PLUMB_INLINE void write(const Call& call, int64_t row, int64_t output, int valid, float* sums) {
  if (call.bias != nullptr) {
    for (int i = 0; i < kLanes; ++i) {
      sums[i] += call.bias[output + std::min(i % kOuts, valid - 1)];
    }
  }
  float* y = call.out.y + row * call.out.y_stride + output;
  if (call.out.residual != nullptr) {
    const float* residual = call.out.residual + row * call.out.y_stride + output;
    for (int i = 0; i < kLanes; ++i) {
      sums[i] += residual[(i / kOuts) * call.out.y_stride + std::min(i % kOuts, valid - 1)];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    std::memcpy(y + r * call.out.y_stride, sums + r * kOuts, sizeof(float) * valid);
  }
}

// kLanes results, kRows rows by kLanes / kRows outputs: as many as one register of sums holds.
template <int kRows>
void tile(const Call& call, int64_t row, int64_t output, int64_t end) {
  constexpr int kOuts = kLanes / kRows;
  const int valid = static_cast<int>(std::min<int64_t>(kOuts, end - output));
  Vec acc[kRows][kOuts] = {};
  accumulate(acc, at_tile(call.main, row, output), valid);
  if (call.low.w != nullptr) {
    accumulate(acc, at_tile(call.low, row, output), valid);
  }
  float sums[kLanes];
  store(sums, sum_lanes(&acc[0][0]));
  if (valid == kOuts) {
    write<kRows, kOuts>(call, row, output, kOuts, sums);
  } else {
    write<kRows, kOuts>(call, row, output, valid, sums);
  }
}

template <int kRows>
void tiles(const Call& call, int64_t row, int64_t begin, int64_t end) {
  for (int64_t output = begin; output < end; output += kLanes / kRows) {
    tile<kRows>(call, row, output, end);
  }
}

// All rows against the outputs [begin, end).
void block(const Call& call, int64_t begin, int64_t end) {
  int64_t row = 0;
  for (; row + 4 <= call.num_rows; row += 4) {
    tiles<4>(call, row, begin, end);
  }
  for (; row + 2 <= call.num_rows; row += 2) {
    tiles<2>(call, row, begin, end);
  }
  if (row < call.num_rows) {
    tiles<1>(call, row, begin, end);
  }
}

void run(const Call& call) {
  const int64_t blocks = (call.num_outputs + kBlock - 1) / kBlock;
  // A weight costs about as much to fetch as four rows to multiply.
  const int64_t block_work = kBlock * call.main.depth * (call.num_rows + 3);
  at::parallel_for(0, blocks, std::max<int64_t>(1, kWorkPerThread / block_work),
                   [&call](int64_t first, int64_t last) {
                     for (int64_t i = first; i < last; ++i) {
                       block(call, i * kBlock, std::min((i + 1) * kBlock, call.num_outputs));
                     }
                   });
}

}  // namespace

void decode_linear(const float* x, int64_t num_rows, const DecodeWeight& weight,
                   const DecodeLowRank& low_rank, const DecodeOutput& out) {
  Call call{{x, weight.weight, weight.in_features},
            {low_rank.scratch, nullptr, low_rank.rank},
            weight.bias,
            out,
            num_rows,
            weight.out_features};
  if (low_rank.a != nullptr) {
    float* xa = low_rank.scratch;
    run({{x, low_rank.a, weight.in_features},
         {},
         nullptr,
         {xa, low_rank.rank, nullptr},
         num_rows,
         low_rank.rank});
    for (int64_t i = 0; i < num_rows * low_rank.rank; ++i) {
      xa[i] *= low_rank.scale;
    }
    call.low.w = low_rank.b;
  }
  run(call);
}

}  // namespace plumb
