// y = x W^T (+ addend) + scale * drop(x A^T) B^T over groups of rows (LoRA, Hu et al. 2021, eq. 3).
// The base product is one GEMM over all rows whatever their adapters, and the updates go into it: y
// and grad_x are passed over once. W may be several linears laid one under another, each with an
// update of its own. Products keep the order (x A^T) B^T and (dY B) A: A B is never formed.
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
// `saved` receives what the way back needs of each update: drop(x) A^T, (end - begin, R), which
// kernels leave unscaled and the CPU's products scale.
at::Tensor low_rank_linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                           const std::vector<LowRankUpdate>& updates,
                           std::vector<at::Tensor>& saved);

// The way back, in two steps, because a block may have the linear's input only later.
struct LowRankBackward {
  at::Tensor grad_x;                    // (N, I); undefined where not asked for
  std::vector<at::Tensor> grad_b;       // of each update, (O, R); undefined where B is frozen
  std::vector<at::Tensor> grad_narrow;  // (end - begin, R), of drop(x) A^T; undefined where unused
};
enum class InputGradient { formed, left_out };
LowRankBackward low_rank_backward(const at::Tensor& w, const std::vector<LowRankUpdate>& updates,
                                  const std::vector<at::Tensor>& saved, const at::Tensor& grad_y,
                                  InputGradient grad_x);
// Of each update (R, I), undefined where A is frozen. x: (N, I), the input of the linear; it may be
// undefined where every A is frozen.
std::vector<at::Tensor> low_rank_grad_a(const std::vector<LowRankUpdate>& updates,
                                        const at::Tensor& x,
                                        const std::vector<at::Tensor>& grad_narrow);

at::Tensor low_rank_linear_ref(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                               const std::vector<LowRankUpdate>& updates);

}  // namespace plumb
