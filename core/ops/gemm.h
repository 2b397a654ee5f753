// Matrix products for training: sums of products in one pass over the output, several outputs in
// one round over the threads. On the CPU in f32 by an own kernel (gemm_kernel.h): MKL takes generic
// kernels on processors of other makers, and a LoRA linear is a GEMM with thin ones around it.
// Other types and devices go through ATen.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace plumb {

// a (M', K) times b (K, N'), added to the block of the output whose first element is
// (row, column). Either operand may be a transposed view.
struct GemmTerm {
  at::Tensor a;
  at::Tensor b;
  int64_t row = 0;
  int64_t column = 0;
};

// out = addend + scale * sum of terms. Elements that no term covers become the addend, or 0.
// An element's bits depend neither on the threads nor on the rows and columns beside it.
struct Gemm {
  at::Tensor out;  // (M, N), any strides; may be the addend itself
  std::vector<GemmTerm> terms = {};
  at::Tensor addend = {};  // undefined, (N) or (M, N)
  double scale = 1.0;
};

// Of the process: what f32 operands on the CPU are multiplied in; sums, addends and outputs are f32
// in either. bf16 rounds operands to nearest: half the time, and three digits.
enum class GemmPrecision { f32, bf16 };
GemmPrecision gemm_precision();
// bf16 is an Error where the CPU does not multiply it (AVX512-BF16).
void set_gemm_precision(GemmPrecision precision);

// Outputs must not overlap.
void gemm(const std::vector<Gemm>& all);

// a (M, K) b (K, N) -> (M, N)
at::Tensor product_of(const at::Tensor& a, const at::Tensor& b);

}  // namespace plumb
