// Biases that families add to attention scores.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace plumb {

// T5's relative position bias (Raffel et al. 2020, 2.1): a learned scalar a head for the bucket of
// (key position - query position). Buckets are those of transformers' T5Attention: exact up to a
// quarter (one direction: half) of their number, then logarithmic up to max_distance.
struct RelativeBias {
  at::Tensor table = {};         // (buckets, H); undefined: no bias
  int64_t max_distance = 128;    // from here on all distances share a bucket
  bool is_bidirectional = true;  // encoder; false: keys behind the query count as distance 0
};

// Buckets of the offsets -past .. future, (past + 1 + future) int64 on the table's device. Offset 0
// stands at index `past`.
at::Tensor relative_buckets(const RelativeBias& bias, int64_t past, int64_t future);

// The bias of each offset, (H, past + 1 + future); differentiable in the table.
at::Tensor relative_bias_by_offset(const RelativeBias& bias, int64_t past, int64_t future);

// ALiBi as transformers' Falcon forms it, ready to be AttentionOptions::key_bias: (H, positions)
// f32. It grows with the key's own position (softmax takes the query's share away) and is rounded
// to bfloat16 at each step, which shows from position 257 on and with slopes that are no powers of
// two. Falcon scales it together with q . k: pass the scale of the scores.
at::Tensor falcon_alibi(int64_t heads, int64_t positions, double scale);

}  // namespace plumb
