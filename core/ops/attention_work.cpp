#include "core/ops/attention_work.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

#include "core/ops/check.h"

namespace plumb::tile {
namespace {

// Parts to aim at when a batch has few (sequence, kv head) pairs: enough for the cores of one
// socket; each costs backward a copy of its keys' and values' gradients.
constexpr int64_t kWantedParts = 16;
// Multiply-adds that pay for waking threads.
constexpr double kParallelWork = 1 << 18;

// Floats.
constexpr int64_t kCacheLine = 16;
constexpr int64_t kRowsAhead = 12;

std::vector<SequenceRows> sequences_of(const AttentionInputs& in) {
  const std::vector<int64_t>& keys = in.key_bounds();
  std::vector<SequenceRows> all;
  all.reserve(keys.size());
  for (std::size_t b = 0; b + 1 < keys.size(); ++b) {
    const int64_t queries = in.cu_seqlens[b + 1] - in.cu_seqlens[b];
    const int64_t count = keys[b + 1] - keys[b];
    all.push_back(
        {in.cu_seqlens[b], queries, keys[b], count, in.options.is_causal ? count - queries : 0});
  }
  return all;
}

double pairs_of(const Problem& problem, const SequenceRows& s) {
  const auto queries = static_cast<double>(s.queries), keys = static_cast<double>(s.keys);
  if (!problem.is_causal) {
    return queries * keys;
  }
  const double all = queries * (keys - queries / 2);
  return problem.window > 0 ? std::min(all, queries * static_cast<double>(problem.window)) : all;
}

}  // namespace

Heads<const float> heads_of(const at::Tensor& x) {
  check_dense_rows(x, "attention: q, k, v and their gradients");
  return {x.const_data_ptr<float>(), x.stride(0), x.stride(1)};
}

Heads<float> mutable_heads_of(const at::Tensor& x) {
  check_dense_rows(x, "attention: q, k, v and their gradients");
  return {x.mutable_data_ptr<float>(), x.stride(0), x.stride(1)};
}

Problem::Problem(const AttentionInputs& in)
    : q(heads_of(in.q)),
      k(heads_of(in.k)),
      v(heads_of(in.v)),
      sequences(sequences_of(in)),
      kv_heads(in.k.size(1)),
      group(in.q.size(1) / in.k.size(1)),
      dim(in.q.size(2)),
      width(round_up(in.q.size(2), kLanes)),
      scale(in.scale()),
      is_causal(in.options.is_causal),
      window(in.options.window),
      softcap(static_cast<float>(in.options.softcap)) {
  if (in.options.key_bias.defined()) {
    key_bias_memory_ = in.options.key_bias.contiguous();
    key_bias = key_bias_memory_.const_data_ptr<float>();
    key_bias_stride = key_bias_memory_.size(1);
  }
  if (!in.options.relative.table.defined()) {
    return;
  }
  int64_t past = 0;
  for (const SequenceRows& s : sequences) {
    past = std::max(past, s.shift + s.queries - 1);
    relative_future = std::max(relative_future, s.keys - 1 - s.shift);
  }
  offsets = past + 1 + relative_future;
  // Lanes of a last, partial block of queries read past the end of a row.
  relative_stride = offsets + kTile;
  relative_memory_ = at::zeros({kv_heads * group, relative_stride}, in.q.options());
  relative_memory_.narrow(1, 0, offsets)
      .copy_(relative_bias_by_offset(in.options.relative, past, relative_future).flip(1))
      .mul_(std::numbers::log2e);
  relative = relative_memory_.const_data_ptr<float>();
}

std::vector<Part> parts_of(const Problem& problem) {
  const auto pairs = static_cast<int64_t>(problem.sequences.size()) * problem.kv_heads;
  const int64_t wanted = (kWantedParts + pairs - 1) / std::max<int64_t>(1, pairs);
  std::vector<Part> parts;
  for (std::size_t b = 0; b < problem.sequences.size(); ++b) {
    const SequenceRows& s = problem.sequences[b];
    const int64_t blocks = problem.query_blocks(s);
    // A sequence without queries still has its keys' gradients written.
    const int64_t count = std::clamp<int64_t>(blocks / 2, 1, wanted);
    const double cost =
        pairs_of(problem, s) * static_cast<double>(problem.group * problem.dim * 2 / count);
    for (int64_t head = 0; head < problem.kv_heads; ++head) {
      for (int64_t part = 0; part < count; ++part) {
        parts.push_back({static_cast<int64_t>(b), head, part, count, cost});
      }
    }
  }
  return parts;
}

void run_parts(const std::vector<Part>& parts, const std::function<void(int64_t)>& body) {
  std::vector<int64_t> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return parts[a].cost > parts[b].cost; });
  double work = 0;
  for (const Part& part : parts) {
    work += part.cost;
  }
  std::atomic<std::size_t> next{0};
  const auto take_parts = [&](int64_t, int64_t) {
    for (std::size_t i = next++; i < order.size(); i = next++) {
      body(order[i]);
    }
  };
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), std::ssize(parts));
  if (work < kParallelWork || threads < 2) {
    take_parts(0, 1);
  } else {
    at::parallel_for(0, threads, 1, take_parts);
  }
}

Block block_of(const Problem& problem, const Part& part, int64_t unit) {
  const SequenceRows& s = problem.sequences[part.sequence];
  Block block;
  block.head = part.kv_head * problem.group + unit % problem.group;
  block.first = unit / problem.group * kTile;
  block.row = s.query_begin + block.first;
  block.count = std::min<int64_t>(kTile, s.queries - block.first);
  block.position = s.shift + block.first;
  block.keys = s.keys;
  block.key_begin = 0;
  block.key_end = s.keys;
  if (problem.is_causal) {
    block.key_end = std::min(s.keys, block.position + block.count);
  }
  if (problem.window > 0) {
    block.key_begin = std::max<int64_t>(0, block.position - problem.window + 1) / kTile * kTile;
  }
  return block;
}

Band Block::band(const Problem& problem, int64_t key) const {
  Band band;
  if (problem.is_causal) {
    band.high = position - key;
  }
  if (problem.window > 0) {
    band.low = position - key - problem.window + 1;
  }
  return band;
}

float* aligned_floats(std::vector<float>& kept, int64_t count) {
  constexpr std::size_t kAlign = 64;
  if (std::ssize(kept) < count + static_cast<int64_t>(kAlign)) {
    kept.assign(count + kAlign, 0.0f);
  }
  void* start = kept.data();
  std::size_t space = kept.size() * sizeof(float);
  return static_cast<float*>(std::align(kAlign, count * sizeof(float), start, space));
}

float* Scratch::memory() const {
  thread_local std::vector<float> kept;
  return aligned_floats(kept, size_);
}

void copy_rows(const Heads<const float>& from, int64_t row, int64_t head, int64_t count,
               const Problem& problem, float* to) {
  const int64_t dim = problem.dim, width = problem.width;
  for (int64_t i = 0; i < count; ++i) {
    const float* source = from.at(row + i, head);
    // Rows of one head lie too far apart for the processor's own prefetching. A prefetch beyond the
    // tensor does no harm.
    for (int64_t d = 0; d < dim; d += kCacheLine) {
      __builtin_prefetch(source + kRowsAhead * from.row_stride + d);
    }
    int64_t d = 0;
    for (; d + kLanes <= dim; d += kLanes) {
      store(to + i * width + d, load(source + d));
    }
    if (d < dim) {
      store(to + i * width + d, load_part(source + d, dim - d));
    }
  }
  std::memset(to + count * width, 0, sizeof(float) * (round_up(count, kTile) - count) * width);
}

void prefetch_rows(const Heads<float>& to, int64_t row, int64_t head, int64_t count, int64_t dim) {
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d = 0; d < dim; d += kCacheLine) {
      __builtin_prefetch(to.at(row + i, head) + d, /*for writing:*/ 1);
    }
  }
}

void transpose_rows(const float* from, int64_t count, int64_t width, float factor, float* to) {
  for (int64_t row = 0; row < count; row += kLanes) {
    for (int64_t d = 0; d < width; d += kLanes) {
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        block[i] = load(from + (row + i) * width + d) * factor;
      }
      transpose(block);
      for (int i = 0; i < kLanes; ++i) {
        store(to + (d + i) * kTile + row, block[i]);
      }
    }
  }
}

}  // namespace plumb::tile
