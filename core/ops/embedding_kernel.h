// Rows of a table by id, on the GPU, and their gradient without atomics.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

// out[n] = table[ids[n]]
struct EmbeddingForward {
  void* out = nullptr;           // (N, C)
  const void* table = nullptr;   // (V, C)
  const int64_t* ids = nullptr;  // (N), in [0, V)
  int64_t tokens = 0, width = 0;
  KernelDtype dtype = KernelDtype::f32;
};
void launch_embedding_forward(const EmbeddingForward& op, KernelStream stream);

// grad_table[ids of u] += sum over segment u of grad_out[order[i]], in f32 and in the order given.
// `order` sorts tokens by id, stably (at::sort(ids, /*stable=*/true)); segment u is
// [segments[u], segments[u + 1]) of it, all of one id. A row's bits depend on its own tokens alone.
struct EmbeddingBackward {
  void* grad_table = nullptr;         // (V, C); other rows are not touched
  const void* grad_out = nullptr;     // (N, C)
  const int64_t* order = nullptr;     // (N)
  const int64_t* segments = nullptr;  // (U + 1)
  const int64_t* row_ids = nullptr;   // (U), ascending
  int64_t rows = 0, width = 0;        // U, C
  KernelDtype dtype = KernelDtype::f32;
};
void launch_embedding_backward(const EmbeddingBackward& op, KernelStream stream);

}  // namespace plumb
