// Grouped-query attention over packed sequences: softmax(score) v, where
//   score = cap(q . k * scale) + key_bias[key] + relative[key - query], over the keys a query sees.
// Query head h reads kv head h / (H / K). Positions count from each sequence's first row; with
// is_causal the queries of a sequence are its last ones (key and query lengths may differ), without
// it both count from 0.
//
// f32 on the CPU runs on own kernels: tiles of scores, an online softmax, tiles that no query sees
// skipped. Bits of a sequence depend neither on the threads nor (in forward) on the other
// sequences. Other types and devices go through a composition of ATen ops.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/ops/attention_bias.h"

namespace plumb {

struct AttentionOptions {
  std::optional<double> scale = {};  // of q . k; nothing: 1 / sqrt(D)
  bool is_causal = true;             // a query sees keys up to its own position
  int64_t window = 0;                // > 0: only keys with query - key < window; needs is_causal
  double softcap = 0;                // > 0: cap tanh(score / cap) before biases (Gemma 2)
  at::Tensor key_bias = {};          // (H, P) of the inputs' type, P >= longest keys: see ALiBi
  RelativeBias relative = {};
};

// Views may be strided (slices of a fused q|k|v) with dense heads. f32 or f64.
struct AttentionInputs {
  at::Tensor q;                     // (N, H, D)
  at::Tensor k;                     // (M, K, D), K divides H
  at::Tensor v;                     // (M, K, D)
  std::vector<int64_t> cu_seqlens;  // (B + 1), rows [cu[b], cu[b + 1]) are sequence b
  AttentionOptions options = {};
  std::vector<int64_t> key_cu_seqlens = {};  // (B + 1) for k and v; empty: those of q, M = N

  const std::vector<int64_t>& key_bounds() const {
    return key_cu_seqlens.empty() ? cu_seqlens : key_cu_seqlens;
  }
  double scale() const;
};

struct AttentionOutput {
  at::Tensor out;          // (N, H, D) dense
  at::Tensor log_sum_exp;  // (H, N): of the scores, what backward needs of the softmax
};

// Throws Error for shapes, bounds and options that do not fit, and for a sequence that has queries
// but no keys.
AttentionOutput attention(const AttentionInputs& in);

// Writes the gradients of q, k and v into `grad` (same shapes, strides of its own).
struct AttentionGrads {
  at::Tensor q, k, v;
  at::Tensor relative_table = {};  // (buckets, H), written where defined
};
void attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                        const at::Tensor& grad_out, const AttentionGrads& grad);

// Differentiable in q, k, v and the relative table.
at::Tensor attention_ref(const AttentionInputs& in);

}  // namespace plumb
