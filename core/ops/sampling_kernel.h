// One token of each row of logits on the GPU: the filters, their order and the draw of
// core/ops/sampling.h, without a sort. Sums are integers (weights in units of 2^-44 of the
// likeliest token's), so that they are exact whatever the order; a row's token depends on its own
// logits, sequence id and position alone.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"
#include "core/ops/sampling.h"

namespace plumb {

struct SampleTokens {
  int32_t* ids = nullptr;               // (B); -1 where the row's logits are not all finite
  float* logprobs = nullptr;            // (B): under softmax(logits / temperature), as DrawnToken
  const void* logits = nullptr;         // (B, V), rows row_stride apart
  uint32_t* seen = nullptr;             // (B, seen_words(V)) or null: bit i % 32 of word i / 32 is
                                        // set for ids the penalty holds against; gains the drawn id
  const int32_t* banned = nullptr;      // (num_banned) ids
  const uint8_t* is_banning = nullptr;  // (B) or null: 1 in rows that must not draw the banned ids
  const uint64_t* sample_ids = nullptr;  // (B)
  const int64_t* positions = nullptr;    // (B): of the token that is drawn, in its sequence
  int64_t rows = 0, vocab = 0, row_stride = 0;
  int64_t num_banned = 0;
  uint64_t seed = 0;
  SamplingFilters filters = {};  // a repetition penalty needs `seen`
  KernelDtype dtype = KernelDtype::f32;
};
void launch_sample_tokens(const SampleTokens& op, KernelStream stream);

inline int64_t seen_words(int64_t vocab) {
  return (vocab + 31) / 32;
}

}  // namespace plumb
