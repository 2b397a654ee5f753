// Attention over packed sequences on the GPU, forward and backward (core/ops/attention.h, its
// composition to the letter but for T5's relative bias): the fallback and oracle where ATen's flash
// op does not serve, which is f32, ALiBi in training and deterministic gradients. Softmax and sums
// in f32, in an order that depends on a sequence alone; no atomics.
//   score = cap(q . k scale) + key_bias[key]
// D up to 256.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

// Rows of q, k and v are strides apart, heads dense. Query head h reads kv head h / (H / K).
struct VarlenInputs {
  const void* q = nullptr;                // (N, H, D)
  const void* k = nullptr;                // (M, K, D)
  const void* v = nullptr;                // (M, K, D)
  const int64_t* cu_queries = nullptr;    // (B + 1): rows [cu[b], cu[b + 1]) are sequence b
  const int64_t* cu_keys = nullptr;       // (B + 1), for k and v; may be cu_queries
  const float* key_bias = nullptr;        // (H, P) or null, P >= the longest keys: ALiBi
  int64_t rows = 0, sequences = 0;        // N, B
  int64_t max_queries = 0, max_keys = 0;  // no sequence has more
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0;
  int64_t bias_stride = 0;  // P
  float scale = 1.0f;
  float softcap = 0.0f;   // 0: none
  int64_t window = 0;     // > 0: only keys with query - key < window
  bool is_causal = true;  // the queries are their sequence's last positions; else all keys are seen
  KernelDtype dtype = KernelDtype::f32;
};

struct VarlenForward {
  VarlenInputs in = {};
  void* out = nullptr;           // (N, H, D) dense; 0 for a query that sees no key
  float* log_sum_exp = nullptr;  // (H, N): of the scores
};
void launch_varlen_forward(const VarlenForward& op, KernelStream stream);

struct VarlenBackward {
  VarlenInputs in = {};
  const void* out = nullptr;           // (N, H, D) dense
  const void* grad_out = nullptr;      // (N, H, D) dense
  const float* log_sum_exp = nullptr;  // (H, N)
  float* delta = nullptr;              // (H, N) scratch
  void* grad_q = nullptr;              // (N, H, D), strided as below, heads dense
  void* grad_k = nullptr;              // (M, K, D)
  void* grad_v = nullptr;              // (M, K, D)
  int64_t grad_q_stride = 0, grad_k_stride = 0, grad_v_stride = 0;
};
void launch_varlen_backward(const VarlenBackward& op, KernelStream stream);

}  // namespace plumb
