#include "core/ops/decode_attention.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/ops/decode_vec.h"
#include "core/ops/spin_pool.h"
#include "core/ops/vector_exp.h"

namespace plumb {
namespace {

using namespace decode;

constexpr int kBlockVecs = kKeyBlock / kLanes;
static_assert(kKeyBlock % kLanes == 0 && kValueAlign % kLanes == 0);
// Multiply-adds that pay for waking another thread.
constexpr int64_t kWorkPerThread = 1 << 15;

// Query heads that share one kv head, and a place for their scores.
struct Group {
  const float* q;       // (heads, D)
  const float* keys;    // of the kv head
  const float* values;  // of the kv head
  float* weights;       // (heads, padded length): scores, then softmax weights
  float* out;           // (heads, D)
  DecodeBias key_bias;  // of the first head, indexed by key position
  DecodeBias relative;  // likewise
  int64_t first;        // positions [first, length) are attended to
  int64_t length;
  int64_t padded;  // length rounded up to kKeyBlock
  int64_t head_dim;
  int64_t value_width;
  float scale;
  float softcap;
};

// Scores of kVecs registers of positions, which must lie in whole key blocks.
template <int kHeads, int kBlocks>
PLUMB_INLINE void score_blocks(const Group& group, int64_t first_block) {
  const int64_t dim = group.head_dim;
  Vec acc[kHeads][kBlocks * kBlockVecs] = {};
  const float* keys = group.keys + first_block * dim * kKeyBlock;
  for (int64_t d = 0; d < dim; ++d) {
    for (int i = 0; i < kBlocks * kBlockVecs; ++i) {
      const Vec k = load(keys + (i / kBlockVecs * dim + d) * kKeyBlock + i % kBlockVecs * kLanes);
      for (int h = 0; h < kHeads; ++h) {
        acc[h][i] += k * group.q[h * dim + d];
      }
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (int i = 0; i < kBlocks * kBlockVecs; ++i) {
      store(group.weights + h * group.padded + first_block * kKeyBlock + i * kLanes,
            acc[h][i] * group.scale);
    }
  }
}

void cap_scores(float* scores, const Group& group) {
  const float cap = group.softcap;
#pragma omp simd
  for (int64_t t = group.first; t < group.length; ++t) {
    scores[t] = cap * vector_tanh(scores[t] / cap);
  }
}

void add_bias(float* scores, const Group& group, const DecodeBias& bias, int64_t head) {
  const float* values = bias.data + head * bias.stride;
#pragma omp simd
  for (int64_t t = group.first; t < group.length; ++t) {
    scores[t] += values[t];
  }
}

// Scores become e^(score - max); returns their sum.
float exponentiate(float* scores, int64_t first, int64_t length) {
  float highest = scores[first];
#pragma omp simd reduction(max : highest)
  for (int64_t t = first; t < length; ++t) {
    highest = std::max(highest, scores[t]);
  }
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t t = first; t < length; ++t) {
    scores[t] = vector_exp(scores[t] - highest);
    sum += scores[t];
  }
  return sum;
}

// out[h][d..] = sum over t of weights[h][t] values[t][d..], for kVecs registers of d.
template <int kHeads, int kVecs>
PLUMB_INLINE void mix_values(const Group& group, int64_t d, const float (&inverse)[kHeads]) {
  Vec acc[kHeads][kVecs] = {};
  const float* values = group.values + d;
  for (int64_t t = group.first; t < group.length; ++t) {
    for (int i = 0; i < kVecs; ++i) {
      const Vec v = load(values + t * group.value_width + i * kLanes);
      for (int h = 0; h < kHeads; ++h) {
        acc[h][i] += v * group.weights[h * group.padded + t];
      }
    }
  }
  const int64_t count = std::min<int64_t>(kVecs * kLanes, group.head_dim - d);
  for (int h = 0; h < kHeads; ++h) {
    float mixed[kVecs * kLanes];
    for (int i = 0; i < kVecs; ++i) {
      store(mixed + i * kLanes, acc[h][i] * inverse[h]);
    }
    std::memcpy(group.out + h * group.head_dim + d, mixed, sizeof(float) * count);
  }
}

// Softmax weights of one head, not yet divided by their sum, which is returned.
float weigh(const Group& group, int64_t head) {
  float* scores = group.weights + head * group.padded;
  if (group.softcap > 0) {
    cap_scores(scores, group);
  }
  for (const DecodeBias& bias : {group.key_bias, group.relative}) {
    if (bias.data != nullptr) {
      add_bias(scores, group, bias, head);
    }
  }
  return exponentiate(scores, group.first, group.length);
}

template <int kHeads>
void attend(const Group& group) {
  const int64_t blocks = group.padded / kKeyBlock;
  constexpr int kTogether = std::max(1, 4 / kBlockVecs);
  int64_t block = group.first / kKeyBlock;
  for (; block + kTogether <= blocks; block += kTogether) {
    score_blocks<kHeads, kTogether>(group, block);
  }
  for (; block < blocks; ++block) {
    score_blocks<kHeads, 1>(group, block);
  }
  float inverse[kHeads];
  for (int h = 0; h < kHeads; ++h) {
    inverse[h] = 1.0f / weigh(group, h);
  }
  int64_t d = 0;
  for (; d + 4 * kLanes <= group.value_width; d += 4 * kLanes) {
    mix_values<kHeads, 4>(group, d, inverse);
  }
  for (; d + 2 * kLanes <= group.value_width; d += 2 * kLanes) {
    mix_values<kHeads, 2>(group, d, inverse);
  }
  for (; d < group.head_dim; d += kLanes) {
    mix_values<kHeads, 1>(group, d, inverse);
  }
}

// `back`: how far behind its data the bias of key position 0 lies.
DecodeBias from_head(const DecodeBias& bias, int64_t head, int64_t back) {
  return bias.data == nullptr ? bias
                              : DecodeBias{bias.data + head * bias.stride - back, bias.stride};
}

// Up to four heads at a time share each key and value that is read.
void attend_group(Group group, int64_t heads) {
  while (heads > 0) {
    const int64_t now = heads >= 4 ? 4 : heads >= 2 ? 2 : 1;
    if (now == 4) {
      attend<4>(group);
    } else if (now == 2) {
      attend<2>(group);
    } else {
      attend<1>(group);
    }
    group.q += now * group.head_dim;
    group.out += now * group.head_dim;
    group.key_bias = from_head(group.key_bias, now, 0);
    group.relative = from_head(group.relative, now, 0);
    heads -= now;
  }
}

float* scores_of_this_thread(int64_t size) {
  thread_local std::vector<float> scores;
  if (static_cast<int64_t>(scores.size()) < size) {
    scores.resize(size);
  }
  return scores.data();
}

}  // namespace

void append_to_cache(const DecodeCache& cache, std::span<const DecodeRow> rows, const float* k,
                     const float* v, int64_t stride) {
  const int64_t dim = cache.head_dim;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const auto [slot, position] = rows[n];
    for (int64_t head = 0; head < cache.num_kv_heads; ++head) {
      const float* key = k + n * stride + head * dim;
      float* keys = cache.head_keys(slot, head) + position / kKeyBlock * dim * kKeyBlock +
                    position % kKeyBlock;
      for (int64_t d = 0; d < dim; ++d) {
        keys[d * kKeyBlock] = key[d];
      }
      std::memcpy(cache.head_values(slot, head) + position * cache.value_width,
                  v + n * stride + head * dim, sizeof(float) * dim);
    }
  }
}

void copy_in_cache(const DecodeCache& cache, int64_t from_slot, int64_t to_slot,
                   int64_t positions) {
  const int64_t padded = (positions + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
  for (int64_t head = 0; head < cache.num_kv_heads; ++head) {
    std::memcpy(cache.head_keys(to_slot, head), cache.head_keys(from_slot, head),
                sizeof(float) * padded * cache.head_dim);
    std::memcpy(cache.head_values(to_slot, head), cache.head_values(from_slot, head),
                sizeof(float) * positions * cache.value_width);
  }
}

void decode_attention(const DecodeCache& cache, std::span<const DecodeRow> rows,
                      const DecodeQueries& queries, float* out) {
  const int64_t dim = cache.head_dim, kv_heads = cache.num_kv_heads;
  const int64_t heads = queries.num_heads / kv_heads;
  const auto first_of = [&](const DecodeRow& row) {
    return queries.window > 0 ? std::max<int64_t>(0, row.position + 1 - queries.window) : 0;
  };
  int64_t work = 0;
  for (const DecodeRow& row : rows) {
    work += (row.position - first_of(row) + kKeyBlock) * dim * queries.num_heads * 2;
  }
  const int64_t items = static_cast<int64_t>(rows.size()) * kv_heads;
  const int64_t grain = std::max<int64_t>(1, kWorkPerThread * items / std::max<int64_t>(1, work));
  spin_for(items, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t n = item / kv_heads, head = item % kv_heads;
      const int64_t length = rows[n].position + 1;
      const int64_t padded = (length + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
      attend_group({.q = queries.q + n * queries.stride + head * heads * dim,
                    .keys = cache.head_keys(rows[n].slot, head),
                    .values = cache.head_values(rows[n].slot, head),
                    .weights = scores_of_this_thread(4 * padded),
                    .out = out + (n * queries.num_heads + head * heads) * dim,
                    .key_bias = from_head(queries.key_bias, head * heads, 0),
                    .relative = from_head(queries.relative, head * heads, rows[n].position),
                    .first = first_of(rows[n]),
                    .length = length,
                    .padded = padded,
                    .head_dim = dim,
                    .value_width = cache.value_width,
                    .scale = queries.scale,
                    .softcap = queries.softcap},
                   heads);
    }
  });
}

}  // namespace plumb
