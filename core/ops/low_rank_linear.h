// y = x W^T (+ addend) + scale * drop(x A^T) B^T over groups of rows (LoRA, Hu et al. 2021, eq. 3).
// The base product is one GEMM over all rows whatever their adapters; W may be several linears laid
// one under another, each with an update of its own. Products keep the order (x A^T) B^T and
// (dY B) A: A B is never formed.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/ops/dropout.h"

namespace plumb {

// The update of columns [column, column + O) of y in rows [begin, end).
struct LowRankUpdate {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t column = 0;
  at::Tensor a;  // (R, I)
  at::Tensor b;  // (O, R)
  double scale = 1.0;
  Dropout dropout;  // of A's input; p = 0 is none
};

// x: (N, I)   w: (O', I)   addend: undefined, (O') or (N, O')   ->   (N, O')
// `saved` receives x A^T, (end - begin, R), for each update.
at::Tensor low_rank_linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                           const std::vector<LowRankUpdate>& updates,
                           std::vector<at::Tensor>& saved);

// Backward of one update, in two steps, because a block may have A's input only later.
struct LowRankBackward {
  at::Tensor grad_b;       // (O, R); undefined where B does not require a gradient
  at::Tensor grad_narrow;  // (end - begin, R): gradient of x A^T; undefined where nobody needs it
};
// Adds the update's part to grad_x (N, I) when that is defined.
LowRankBackward low_rank_backward(const LowRankUpdate& update, const at::Tensor& saved,
                                  const at::Tensor& grad_y, const at::Tensor& grad_x);
// (R, I); undefined where A does not require a gradient. x: (N, I), the input of the linear.
at::Tensor low_rank_grad_a(const LowRankUpdate& update, const at::Tensor& x,
                           const at::Tensor& grad_narrow);

at::Tensor low_rank_linear_ref(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                               const std::vector<LowRankUpdate>& updates);

}  // namespace plumb
