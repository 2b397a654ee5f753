// Matrix products on raw memory. A problem is a sum of products; its columns are cut into panels
// that are packed for the kernel by the thread that needs them, so a weight needs no second copy
// and threads do not wait for one another. Every element is summed in the same order (terms in
// turn, depth upwards, blocks that follow from the sizes), whatever the cut and the threads.
#pragma once
#include <cstdint>
#include <vector>

namespace plumb::gemm_kernel {

// Element (i, j) lies at data[i * row + j * column]; one of the strides is 1.
struct View {
  const float* data;
  int64_t row, column;
};

// Adds a b to rows [row, row + rows) and columns [column, column + columns) of the sum.
struct Term {
  View a;  // (rows, depth)
  View b;  // (depth, columns)
  int64_t depth;
  int64_t row, rows;
  int64_t column, columns;
};

// out = addend + scale * sum of terms, each element written whether or not a term covers it.
struct Problem {
  std::vector<Term> terms;
  float* out;  // (rows, columns), element (i, j) at i * out_row + j * out_column
  int64_t out_row, out_column;
  int64_t rows, columns;
  const float* addend = nullptr;  // rows dense, addend_row apart (0: one row for all); null: none
  int64_t addend_row = 0;
  float scale = 1.0f;
};

// What operands are multiplied in; sums are f32.
enum class Precision { f32, bf16 };

// Whether this build has bf16 products: on x86 those of AVX512-BF16.
bool multiplies_bf16();

// All problems in one round over the threads of ATen's pool; their outputs must not overlap.
void run(const std::vector<Problem>& problems, Precision precision);

}  // namespace plumb::gemm_kernel
