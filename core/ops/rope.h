// Rotary position embedding (Su et al. 2021, section 3.4.2), half-split as in transformers:
// (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin) for the two halves of a head, or of its first
// values where only part of a head is turned (GPT-NeoX, Phi).
#pragma once
#include <ATen/ATen.h>

#include <memory>
#include <mutex>
#include <vector>

#include "core/io/model_config.h"

namespace plumb {

struct RotarySpec {
  int64_t dim = 0;  // R <= D, even: values of a head that are turned
  double theta = 10000.0;
  RopeScaling scaling;
};

// Rows are positions, or tokens (see rotary_table_of_rows).
struct RotaryTable {
  at::Tensor cos;  // (P, R/2) f32: transformers forms angles in f32 for every model dtype
  at::Tensor sin;  // (P, R/2) f32
};

// Positions 0 to num_positions - 1. Every type but dynamic has one such table; of dynamic it is
// that of sequences within the original length.
RotaryTable rotary_table(const RotarySpec& spec, int64_t num_positions);

// Dynamic NTK: the frequencies of a sequence longer than the original depend on its length, so
// each token gets a row of its own.   positions, lengths (of the token's sequence): (N)
RotaryTable rotary_table_of_rows(const RotarySpec& spec, const std::vector<int64_t>& positions,
                                 const std::vector<int64_t>& lengths);

RotaryTable on_device(const RotaryTable& table, const at::Device& device);

// Grows a table on demand and hands out a copy of its handles; safe from several threads.
class RotaryCache {
 public:
  RotaryTable get(const RotarySpec& spec, int64_t num_positions,
                  const at::Device& device = at::kCPU);

 private:
  std::mutex mutex_;
  RotaryTable table_;
};

// In place.   x: (N, heads, D) f32 or f64, dense heads   rows: (N) int64, rows of the table
void rotate_(const at::Tensor& x, const at::Tensor& rows, const RotaryTable& table);
// The transposed map, which is the backward (and the inverse, where the table is not scaled).
void rotate_back_(const at::Tensor& x, const at::Tensor& rows, const RotaryTable& table);

at::Tensor rotate_ref(const at::Tensor& x, const at::Tensor& rows, const RotaryTable& table);

}  // namespace plumb
