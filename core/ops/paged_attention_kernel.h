// The KV cache on the GPU and attention of single queries over it (core/ops/decode_attention.h).
//
// The cache of a layer is two arrays (pages, page_size, K, D), keys and values, which ATen's paged
// flash attention reads too. block_table (slots, max_pages) names the pages of a slot in order; a
// contiguous cache is one page a slot. Positions count from the beginning of the sequence, below
// 2^31.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

struct PagedCache {
  void* keys = nullptr;
  void* values = nullptr;
  const int32_t* block_table = nullptr;
  int64_t max_pages = 0;  // of a slot
  int64_t page_size = 0;  // positions
  int64_t kv_heads = 0, head_dim = 0;
  KernelDtype dtype = KernelDtype::f32;
};

// Row n of k and v goes to `positions[n]` of slot `slots[n]`, and nowhere where that is below 0;
// rows are row_stride values apart, heads dense.
struct CacheWrite {
  PagedCache cache;
  const void* k = nullptr;             // (N, K, D)
  const void* v = nullptr;             // (N, K, D)
  const int64_t* slots = nullptr;      // (N)
  const int64_t* positions = nullptr;  // (N)
  int64_t tokens = 0, row_stride = 0;
};
void launch_cache_write(const CacheWrite& write, KernelStream stream);

// out = softmax(cap(q . k scale) + key_bias[key]) v over the keys [0, length) of the query's
// slot, of which the last is the query's own, or the last `window` of them. Softmax and sums in
// f32. Work is cut at fixed positions and merged in order: a row's bits depend on its own query,
// slot and length alone. D is a multiple of 16 bytes and at most 256.
struct DecodeAttention {
  PagedCache cache;
  void* out = nullptr;               // (B, H, D)
  const void* q = nullptr;           // (B, H, D), rows q_stride values apart
  const int64_t* slots = nullptr;    // (B)
  const int64_t* lengths = nullptr;  // (B); 0: a query of no sequence, whose out is 0
  const float* key_bias = nullptr;   // (H, P) or null, P >= max_length: ALiBi
  float* partial = nullptr;          // decode_attention_scratch floats
  int64_t queries = 0, heads = 0;    // B, H (a multiple of K)
  int64_t q_stride = 0;
  int64_t bias_stride = 0;             // P
  int64_t max_length = 0;              // no length is above it
  float scale = 1.0f, softcap = 0.0f;  // softcap 0: none
  int64_t window = 0;                  // 0: all keys
};
void launch_decode_attention(const DecodeAttention& attention, KernelStream stream);

inline constexpr int64_t kDecodeSplit = 256;  // positions a block walks

// f32 values: for each query, head and split a weighted sum of values, its maximum and its sum.
inline int64_t decode_attention_scratch(int64_t queries, int64_t heads, int64_t head_dim,
                                        int64_t max_length) {
  const int64_t splits = (max_length + kDecodeSplit - 1) / kDecodeSplit;
  return queries * heads * splits * (head_dim + 2);
}

}  // namespace plumb
