// Heads that never hold (N, V) logits (DESIGN.md 5): tokens go through in chunks, and where the
// loss is local to a token its gradient is formed in the same pass (kernels.md 1.6, 1.7).
// Logits are cap(x W^T) / temperature; sums and losses in f32 per token, f64 across tokens.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>

#include "core/ops/backend.h"

namespace plumb {

struct LmHead {
  at::Tensor weight;     // (V, C) f32
  double softcap = 0.0;  // c > 0: logits become c tanh(z / c) (Gemma 2)
};

struct TokenStats {
  at::Tensor logprobs;  // (N) f32: log softmax(logits)[target]
  at::Tensor entropy;   // (N) f32, nats
};

// No gradient.   hidden: (N, C) f32   targets: (N) int64 in [0, V)
TokenStats token_stats(const at::Tensor& hidden, const LmHead& head, const at::Tensor& targets,
                       double temperature = 1.0);

// The loss of the rows [begin, begin + M): what the caller adds to the total, and its derivatives.
struct TokenLossChunk {
  double loss = 0.0;         // sum over these rows
  at::Tensor grad_logprobs;  // (M) f32: d loss / d logprobs
  at::Tensor grad_entropy;   // (M) f32 or undefined: d loss / d entropy
};
using TokenLoss = std::function<TokenLossChunk(const TokenStats& rows, int64_t begin)>;

// Of a loss that has a kernel: the launch that forms statistics and gradient of the rows from
// `begin` on in one pass. TokenLoss is then asked for the loss alone.
using TokenLossKernel =
    std::function<void(const KernelTable&, const HeadRows&, int64_t begin, KernelStream)>;

// Sum of a token-local loss over all rows -> scalar f32, differentiable once in hidden and the
// head's weight (whose gradient is formed only if it requires one). Backward multiplies by the
// incoming scalar. Targets may lie on the CPU, where they are checked without waiting for a device.
at::Tensor token_loss(const at::Tensor& hidden, const LmHead& head, const at::Tensor& targets,
                      double temperature, const TokenLoss& loss,
                      const TokenLossKernel& kernel = nullptr);

// Sum of -log p(target) over the rows: the next-token loss of pretraining and SFT. The entropies'
// sum is added to `entropy` where that is given.
at::Tensor cross_entropy_sum(const at::Tensor& hidden, const LmHead& head,
                             const at::Tensor& targets, double* entropy = nullptr);

}  // namespace plumb
