#include <cmath>
#include <cstring>

#include "core/ops/attention_kernels.h"
#include "core/ops/attention_scores.h"
#include "core/ops/attention_tile.h"
#include "core/ops/attention_work.h"

namespace plumb {
namespace {

using namespace tile;

// Keys taken at once: the more, the rarer the sums are shrunk and stored, while their scores must
// stay in the first cache.
constexpr int64_t kKeys = 2 * kTile;

struct Memory {
  float *keys, *values;       // (keys rounded up, width): of the (sequence, kv head)
  float *q, *q_across, *out;  // (kTile, width), (width, kTile), (kTile, width)
  float* scores;              // (kKeys, kTile)
  SoftmaxState state;
};

Memory memory_of(const Problem& problem, int64_t keys) {
  Scratch scratch;
  const int64_t all = round_up(keys, kTile) * problem.width, block = kTile * problem.width;
  const int64_t at[] = {scratch.add(all),   scratch.add(all),   scratch.add(block),
                        scratch.add(block), scratch.add(block), scratch.add(kKeys * kTile),
                        scratch.add(kTile), scratch.add(kTile), scratch.add(kTile)};
  float* m = scratch.memory();
  return {m + at[0],
          m + at[1],
          m + at[2],
          m + at[3],
          m + at[4],
          m + at[5],
          {m + at[6], m + at[7], m + at[8]}};
}

struct Forward {
  const Problem& problem;
  Heads<float> out;
  float* log_sum_exp;  // (H, N)
  int64_t rows;        // N

  void start(const Block& block, const Memory& memory) const {
    const float factor = static_cast<float>(problem.softcap > 0 ? problem.scale / problem.softcap
                                                                : problem.scale * kLog2E);
    copy_rows(problem.q, block.row, block.head, block.count, problem, memory.q);
    transpose_rows(memory.q, block.count, problem.width, factor, memory.q_across);
    prefetch_rows(out, block.row, block.head, block.count, problem.dim);
    std::memset(memory.out, 0, sizeof(float) * kTile * problem.width);
    std::fill_n(memory.state.highest, kTile, kHidden);
    std::fill_n(memory.state.sum, kTile, 0.0f);
  }

  void add_tile(const Block& block, int64_t key, const Memory& memory) const {
    const int64_t width = problem.width;
    const ScoreTile tile = tile_of(problem, block, key, kKeys);
    score_product({.rows = memory.keys + key * width,
                   .columns = memory.q_across,
                   .depth = problem.dim,
                   .width = width,
                   .keys = tile.keys,
                   .queries = tile.queries,
                   .band = tile.band},
                  memory.scores);
    finish_scores(tile, memory.scores, nullptr);
    softmax_tile(tile, memory.state, memory.scores);
    row_product(
        {.a = {memory.scores, 1, kTile},
         .b = memory.values + key * width,
         .width = width,
         .rows = block.count,
         .scale = memory.state.shrink,
         .out = memory.out},
        [&](int64_t first, int64_t count) { return tile.band.keys_of(first, count, tile.keys); });
  }

  void finish(const Block& block, const Memory& memory) const {
    for (int64_t i = 0; i < block.count; ++i) {
      const float sum = memory.state.sum[i], inverse = 1.0f / sum;
      const float* from = memory.out + i * problem.width;
      float* to = out.at(block.row + i, block.head);
#pragma omp simd
      for (int64_t d = 0; d < problem.dim; ++d) {
        to[d] = from[d] * inverse;
      }
      log_sum_exp[block.head * rows + block.row + i] =
          (memory.state.highest[i] + std::log2(sum)) * kLn2;
    }
  }

  void run(const Part& part) const {
    const SequenceRows& s = problem.sequences[part.sequence];
    const Memory memory = memory_of(problem, s.keys);
    copy_rows(problem.k, s.key_begin, part.kv_head, s.keys, problem, memory.keys);
    copy_rows(problem.v, s.key_begin, part.kv_head, s.keys, problem, memory.values);
    for_blocks(problem, part, [&](const Block& block) {
      start(block, memory);
      for (int64_t key = block.key_begin; key < block.key_end; key += kKeys) {
        add_tile(block, key, memory);
      }
      finish(block, memory);
    });
  }
};

}  // namespace

void cpu_attention(const AttentionInputs& in, const AttentionOutput& result) {
  const Problem problem(in);
  const Forward forward{problem, mutable_heads_of(result.out),
                        result.log_sum_exp.mutable_data_ptr<float>(), in.q.size(0)};
  const std::vector<Part> parts = parts_of(problem);
  run_parts(parts, [&](int64_t index) { forward.run(parts[index]); });
}

}  // namespace plumb
