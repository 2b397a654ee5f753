// y = x W^T (+ bias) (+ scale (x A^T) B^T) for the few rows of a decode step. MKL gives a row other
// bits when a matrix has fewer than 16 rows; here a row's result has the same bits whatever the
// other rows, their number, and the number of threads, which lets sequences enter and leave a batch
// (DESIGN.md 4). Weights stay in the checkpoint's layout and are streamed once: blocks of outputs
// stay in the first-level cache while all rows pass over them.
#pragma once
#include <cstdint>

namespace plumb {

// (O, I) and what may come with it; all f32, rows contiguous.
struct DecodeWeight {
  const float* weight = nullptr;  // (O, I)
  const float* bias = nullptr;    // (O) or null
  int64_t out_features = 0;       // O
  int64_t in_features = 0;        // I
};

// LoRA's term, unmerged. Fastest when R is a multiple of 16 (pad A and B with zeros).
struct DecodeLowRank {
  const float* a = nullptr;  // (R, I); null: no term
  const float* b = nullptr;  // (O, R)
  int64_t rank = 0;          // R
  float scale = 1.0f;
  float* scratch = nullptr;  // (N, R): x A^T
};

// Row n of the output is y + n * y_stride. `residual` may be null or y itself (y += ...).
struct DecodeOutput {
  float* y = nullptr;               // (N, O), rows y_stride apart
  int64_t y_stride = 0;             // floats, at least O
  const float* residual = nullptr;  // (N, O), rows y_stride apart
};

// x: (N, I) f32, contiguous.
void decode_linear(const float* x, int64_t num_rows, const DecodeWeight& weight,
                   const DecodeLowRank& low_rank, const DecodeOutput& out);

}  // namespace plumb
