#include <ATen/Parallel.h>

#include <cmath>
#include <cstring>

#include "core/ops/attention_kernels.h"
#include "core/ops/attention_scores.h"
#include "core/ops/attention_tile.h"
#include "core/ops/attention_work.h"
#include "core/ops/parallel.h"

namespace plumb {
namespace {

using namespace tile;

struct Memory {
  float *keys, *values;            // (keys rounded up, width): of the (sequence, kv head)
  float *q, *grad_out;             // (kTile, width)
  float *q_across, *grad_across;   // (width, kTile)
  float* grad_q;                   // (kTile, width)
  float *scores, *grad, *slope;    // (kTile, kTile)
  float *log_sum_exp, *delta;      // (kTile)
  float *grad_keys, *grad_values;  // (keys rounded up, width)
  float* grad_relative;            // (group, relative_stride) or null
};

Memory memory_of(const Problem& problem, int64_t keys) {
  Scratch scratch;
  const int64_t all = round_up(keys, kTile) * problem.width, block = kTile * problem.width;
  const int64_t tile = kTile * kTile;
  const int64_t at[] = {scratch.add(all),   scratch.add(all),   scratch.add(block),
                        scratch.add(block), scratch.add(block), scratch.add(block),
                        scratch.add(block), scratch.add(tile),  scratch.add(tile),
                        scratch.add(tile),  scratch.add(kTile), scratch.add(kTile),
                        scratch.add(all),   scratch.add(all)};
  float* m = scratch.memory();
  return {m + at[0],  m + at[1],  m + at[2],  m + at[3],  m + at[4],
          m + at[5],  m + at[6],  m + at[7],  m + at[8],  m + at[9],
          m + at[10], m + at[11], m + at[12], m + at[13], nullptr};
}

// Sums that a part leaves for others to add up.
struct Partial {
  float* keys = nullptr;  // null: the (sequence, kv head) has no other part, which writes them
  float* values = nullptr;
  float* relative = nullptr;  // (group, relative_stride); null: not wanted
};

struct Backward {
  const Problem& problem;
  Heads<const float> out, grad_out;
  const float* log_sum_exp;  // (H, N)
  int64_t rows;              // N
  Heads<float> grad_q, grad_k, grad_v;

  void start(const Block& block, const Memory& memory) const {
    const int64_t width = problem.width;
    const float factor = static_cast<float>(problem.softcap > 0 ? problem.scale / problem.softcap
                                                                : problem.scale * kLog2E);
    copy_rows(problem.q, block.row, block.head, block.count, problem, memory.q);
    copy_rows(grad_out, block.row, block.head, block.count, problem, memory.grad_out);
    transpose_rows(memory.q, block.count, width, factor, memory.q_across);
    transpose_rows(memory.grad_out, block.count, width, 1.0f, memory.grad_across);
    prefetch_rows(grad_q, block.row, block.head, block.count, problem.dim);
    std::memset(memory.grad_q, 0, sizeof(float) * kTile * width);
    std::fill_n(memory.delta, kTile, 0.0f);
    std::fill_n(memory.log_sum_exp, kTile, 0.0f);
    for (int64_t i = 0; i < block.count; ++i) {
      const float *g = memory.grad_out + i * width, *o = out.at(block.row + i, block.head);
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t d = 0; d < problem.dim; ++d) {
        sum += g[d] * o[d];
      }
      memory.delta[i] = sum;
      memory.log_sum_exp[i] = log_sum_exp[block.head * rows + block.row + i] * kLog2E;
    }
  }

  // Weights and gradients of the scores of one tile, into memory.scores and memory.grad.
  void score_gradients(const Block& block, int64_t key, const ScoreTile& tile,
                       const Memory& memory) const {
    ScoreProduct product{.rows = memory.keys + key * problem.width,
                         .columns = memory.q_across,
                         .depth = problem.dim,
                         .width = problem.width,
                         .keys = tile.keys,
                         .queries = tile.queries,
                         .band = tile.band};
    score_product(product, memory.scores);
    finish_scores(tile, memory.scores, memory.slope);
    product.rows = memory.values + key * problem.width;
    product.columns = memory.grad_across;
    score_product(product, memory.grad);
    softmax_grad_tile(tile, {memory.log_sum_exp, memory.delta}, memory.scores, memory.grad);
    if (memory.grad_relative != nullptr) {
      const int64_t head = block.head % problem.group;
      add_relative_grad(tile, memory.grad,
                        memory.grad_relative + head * problem.relative_stride +
                            problem.relative_future - (key - block.position));
    }
    if (tile.rule.cap > 0) {
      apply_slope(tile, memory.slope, memory.grad);
    }
  }

  void add_tile(const Block& block, int64_t key, const Memory& memory) const {
    const int64_t width = problem.width;
    const ScoreTile tile = tile_of(problem, block, key, kTile);
    score_gradients(block, key, tile, memory);
    const auto queries_of = [&](int64_t first, int64_t count) {
      return tile.band.queries_of(first, count, tile.queries);
    };
    const auto keys_of = [&](int64_t first, int64_t count) {
      return tile.band.keys_of(first, count, tile.keys);
    };
    const auto by_key = [&](const float* weights, const float* of_queries, float* grad) {
      row_product({{weights, kTile, 1}, of_queries, width, tile.keys, nullptr, grad + key * width},
                  queries_of);
    };
    by_key(memory.scores, memory.grad_out, memory.grad_values);
    by_key(memory.grad, memory.q, memory.grad_keys);
    row_product({{memory.grad, 1, kTile},
                 memory.keys + key * width,
                 width,
                 tile.queries,
                 nullptr,
                 memory.grad_q},
                keys_of);
  }

  void write_rows(const float* from, int64_t count, float factor, const Heads<float>& to,
                  int64_t row, int64_t head) const {
    for (int64_t i = 0; i < count; ++i) {
      const float* source = from + i * problem.width;
      float* target = to.at(row + i, head);
#pragma omp simd
      for (int64_t d = 0; d < problem.dim; ++d) {
        target[d] = source[d] * factor;
      }
    }
  }

  void write_keys(const SequenceRows& s, int64_t kv_head, const float* keys,
                  const float* values) const {
    write_rows(keys, s.keys, static_cast<float>(problem.scale), grad_k, s.key_begin, kv_head);
    write_rows(values, s.keys, 1.0f, grad_v, s.key_begin, kv_head);
  }

  void run(const Part& part, const Partial& partial) const {
    const SequenceRows& s = problem.sequences[part.sequence];
    Memory memory = memory_of(problem, s.keys);
    const int64_t keys = round_up(s.keys, kTile) * problem.width;
    if (partial.keys != nullptr) {
      memory.grad_keys = partial.keys;
      memory.grad_values = partial.values;
    }
    memory.grad_relative = partial.relative;
    std::memset(memory.grad_keys, 0, sizeof(float) * keys);
    std::memset(memory.grad_values, 0, sizeof(float) * keys);
    if (partial.relative != nullptr) {
      std::memset(partial.relative, 0, sizeof(float) * problem.group * problem.relative_stride);
    }
    copy_rows(problem.k, s.key_begin, part.kv_head, s.keys, problem, memory.keys);
    copy_rows(problem.v, s.key_begin, part.kv_head, s.keys, problem, memory.values);
    for_blocks(problem, part, [&](const Block& block) {
      start(block, memory);
      for (int64_t key = block.key_begin; key < block.key_end; key += kTile) {
        add_tile(block, key, memory);
      }
      write_rows(memory.grad_q, block.count, static_cast<float>(problem.scale), grad_q, block.row,
                 block.head);
    });
    if (partial.keys == nullptr) {
      write_keys(s, part.kv_head, memory.grad_keys, memory.grad_values);
    }
  }
};

// Where each part leaves its sums, in memory that this thread keeps.
std::vector<Partial> partials_of(const Problem& problem, const std::vector<Part>& parts,
                                 bool with_relative) {
  std::vector<int64_t> offsets;
  int64_t size = 0;
  const auto add = [&](int64_t floats) {
    offsets.push_back(size);
    size += round_up(floats, 16);
  };
  for (const Part& part : parts) {
    const int64_t keys = round_up(problem.sequences[part.sequence].keys, kTile) * problem.width;
    add(part.parts > 1 ? keys : 0);
    add(part.parts > 1 ? keys : 0);
    add(with_relative ? problem.group * problem.relative_stride : 0);
  }
  thread_local std::vector<float> kept;
  float* memory = aligned_floats(kept, size);
  std::vector<Partial> partials(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].parts > 1) {
      partials[i].keys = memory + offsets[3 * i];
      partials[i].values = memory + offsets[3 * i + 1];
    }
    if (with_relative) {
      partials[i].relative = memory + offsets[3 * i + 2];
    }
  }
  return partials;
}

// Adds the sums of parts [first, first + count) of one (sequence, kv head) and writes them.
void join_parts(const Backward& backward, const Part& part, const Partial* partials) {
  const Problem& problem = backward.problem;
  const SequenceRows& s = problem.sequences[part.sequence];
  const int64_t width = problem.width;
  for_rows(s.keys, part.parts * width * 2, [&](int64_t row) {
    float *keys = partials[0].keys + row * width, *values = partials[0].values + row * width;
    for (int64_t p = 1; p < part.parts; ++p) {
      for (int64_t d = 0; d < width; d += kLanes) {
        store(keys + d, load(keys + d) + load(partials[p].keys + row * width + d));
        store(values + d, load(values + d) + load(partials[p].values + row * width + d));
      }
    }
    backward.write_rows(keys, 1, static_cast<float>(problem.scale), backward.grad_k,
                        s.key_begin + row, part.kv_head);
    backward.write_rows(values, 1, 1.0f, backward.grad_v, s.key_begin + row, part.kv_head);
  });
}

// Offsets' sums of all parts into the buckets of the table's gradient, (buckets, H).
void write_table_grad(const Problem& problem, const std::vector<Part>& parts,
                      const std::vector<Partial>& partials, const at::Tensor& bucket_of,
                      const at::Tensor& grad) {
  const int64_t* bucket = bucket_of.const_data_ptr<int64_t>();
  const int64_t buckets = grad.size(0);
  const at::Tensor sums = at::empty({grad.size(1), buckets}, grad.options());
  float* to = sums.mutable_data_ptr<float>();
  for_rows(grad.size(1), problem.offsets * std::ssize(parts), [&](int64_t head) {
    std::vector<double> sum(buckets, 0.0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].kv_head != head / problem.group) {
        continue;
      }
      const float* from = partials[i].relative + head % problem.group * problem.relative_stride;
      for (int64_t o = 0; o < problem.offsets; ++o) {
        sum[bucket[o]] += from[o];
      }
    }
    std::copy(sum.begin(), sum.end(), to + head * buckets);
  });
  grad.copy_(sums.t());
}

}  // namespace

void cpu_attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                            const at::Tensor& grad_out, const AttentionGrads& grad) {
  const Problem problem(in);
  const Backward backward{problem,
                          heads_of(saved.out),
                          heads_of(grad_out),
                          saved.log_sum_exp.const_data_ptr<float>(),
                          in.q.size(0),
                          mutable_heads_of(grad.q),
                          mutable_heads_of(grad.k),
                          mutable_heads_of(grad.v)};
  const std::vector<Part> parts = parts_of(problem);
  const std::vector<Partial> partials = partials_of(problem, parts, grad.relative_table.defined());
  run_parts(parts, [&](int64_t index) { backward.run(parts[index], partials[index]); });
  for (std::size_t i = 0; i < parts.size(); i += parts[i].parts) {
    if (parts[i].parts > 1) {
      join_parts(backward, parts[i], partials.data() + i);
    }
  }
  if (grad.relative_table.defined()) {
    const int64_t past = problem.offsets - 1 - problem.relative_future;
    const at::Tensor bucket_of =
        relative_buckets(in.options.relative, past, problem.relative_future).flip(0);
    write_table_grad(problem, parts, partials, bucket_of, grad.relative_table);
  }
}

}  // namespace plumb
