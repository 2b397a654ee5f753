// y = x W^T (+ bias) (+ (x A^T) B^T) for the few rows of a decode step. MKL gives a row other bits
// when a matrix has fewer than 16 rows; here a row's result has the same bits whatever the other
// rows, their number, and the number of threads, which lets sequences enter and leave a batch
// (DESIGN.md 4). Weights lie as in the checkpoint and are streamed once: one row of x reads a
// weight row at a time, as memory does best; for more rows, blocks of outputs stay in the
// first-level cache while all rows pass over them.
#pragma once
#include <cstdint>
#include <string_view>

namespace plumb {

// How weights lie in memory. Narrow ones are widened in registers and multiplied as f32, so that a
// product has the bits of the same product over the widened weights.
enum class WeightFormat { f32, bf16, int8 };

constexpr int64_t kScaleGroup = 32;  // weights of a row that share an int8 scale

// (O, I), rows contiguous, and what may come with it.
struct DecodeWeight {
  const void* values = nullptr;  // float; bf16 bits as uint16_t; int8_t
  const float* bias = nullptr;   // (O) or null
  int64_t out_features = 0;      // O
  int64_t in_features = 0;       // I
  WeightFormat format = WeightFormat::f32;
  const float* scales = nullptr;  // int8: (O, I / kScaleGroup rounded up); weight = scale value
};

// LoRA's term, unmerged: x A^T, which is another decode_linear's output, against B. Fastest when R
// is a multiple of 16 (pad A and B with zeros).
struct DecodeLowRank {
  const float* xa = nullptr;  // (N, R), rows xa_stride apart; null: no term
  int64_t xa_stride = 0;      // floats
  const float* b = nullptr;   // (O, R), scaled
  int64_t rank = 0;           // R
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
