// Causal grouped-query attention over packed sequences: softmax(q k^T / sqrt(D)) v, a row seeing
// the rows of its own sequence up to itself. Query head h reads kv head h / (H / K).
// On the CPU each sequence goes through ATen's flash op, sequences in parallel.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace plumb {

// Views may be strided (slices of a fused q|k|v) with dense heads. f32 or f64.
struct AttentionInputs {
  at::Tensor q;                     // (N, H, D)
  at::Tensor k;                     // (N, K, D), K divides H
  at::Tensor v;                     // (N, K, D)
  std::vector<int64_t> cu_seqlens;  // (B + 1), rows [cu[b], cu[b + 1]) are sequence b
};

struct AttentionOutput {
  at::Tensor out;          // (N, H, D) dense
  at::Tensor log_sum_exp;  // (H, N): of the scaled scores, what backward needs of the softmax
};

AttentionOutput attention(const AttentionInputs& in);

// Writes the gradients of q, k and v into `grad` (same shapes, strides of its own).
struct AttentionGrads {
  at::Tensor q, k, v;
};
void attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                        const at::Tensor& grad_out, const AttentionGrads& grad);

at::Tensor attention_ref(const AttentionInputs& in);

}  // namespace plumb
