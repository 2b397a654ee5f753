// Attention of single queries over a KV cache, for decode steps and for prompts that fill the cache
// (each row is one query). Grouped heads read their keys and values once. A row's result depends on
// its own query, slot and length alone, to the bit.
#pragma once
#include <cstdint>
#include <span>

namespace plumb {

// Keys of 16 positions lie together, one position a lane, so that scores need no sums across lanes;
// values lie position by position, padded to a whole number of registers.
constexpr int64_t kKeyBlock = 16;
constexpr int64_t kValueAlign = 16;

// One layer's cache, f32.
struct DecodeCache {
  float* keys = nullptr;     // (slots, K, capacity / kKeyBlock, D, kKeyBlock)
  float* values = nullptr;   // (slots, K, capacity, value_width)
  int64_t num_kv_heads = 0;  // K
  int64_t head_dim = 0;      // D
  int64_t value_width = 0;   // D rounded up to kValueAlign
  int64_t capacity = 0;      // positions a slot holds, a multiple of kKeyBlock

  float* head_keys(int64_t slot, int64_t head) const {
    return keys + (slot * num_kv_heads + head) * capacity * head_dim;
  }
  float* head_values(int64_t slot, int64_t head) const {
    return values + (slot * num_kv_heads + head) * capacity * value_width;
  }
};

// A token's place: its keys and values go to `position` of `slot`, and it attends to [0, position].
struct DecodeRow {
  int64_t slot = 0;
  int64_t position = 0;
};

// k, v: (N, K D), rows `stride` floats apart.
void append_to_cache(const DecodeCache& cache, std::span<const DecodeRow> rows, const float* k,
                     const float* v, int64_t stride);

// The first `positions` of a slot into another; whole key blocks move, what lies behind is written
// before it is read.
void copy_in_cache(const DecodeCache& cache, int64_t from_slot, int64_t to_slot, int64_t positions);

// A bias of the scores for each query head, rows `stride` floats apart.
struct DecodeBias {
  const float* data = nullptr;  // null: none
  int64_t stride = 0;
};

// q: (N, H, D), rows `stride` floats apart.   out: (N, H, D), contiguous.
// Scores are cap(q . k * scale) + key_bias[key] + relative[key - query], as in
// core/ops/attention.h. A row's position is that of its query: cross-attention passes the last
// position of the fixed keys, and no window or relative bias.
struct DecodeQueries {
  const float* q = nullptr;
  int64_t stride = 0;
  int64_t num_heads = 0;  // H, a multiple of K
  float scale = 1.0f;
  int64_t window = 0;        // > 0: only keys with query - key < window
  float softcap = 0;         // > 0: cap tanh(score / cap)
  DecodeBias key_bias = {};  // data: that of position 0
  DecodeBias relative = {};  // data: that of offset 0; keys behind the query lie before it. From
                             // relative_bias_by_offset(bias, past, 0): data = pointer + past
};
void decode_attention(const DecodeCache& cache, std::span<const DecodeRow> rows,
                      const DecodeQueries& queries, float* out);

}  // namespace plumb
