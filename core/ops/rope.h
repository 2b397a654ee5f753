// Rotary position embedding (Su et al. 2021, section 3.4.2), half-split as in transformers:
// (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin) for the two halves of a head.
#pragma once
#include <ATen/ATen.h>

#include <memory>
#include <mutex>
#include <optional>

namespace plumb {

// Llama 3.1's frequency scaling (transformers, modeling_rope_utils._compute_llama3_parameters).
struct Llama3Rope {
  double factor = 8.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  double original_max_positions = 8192;
};

struct RotarySpec {
  int64_t head_dim = 0;
  double theta = 10000.0;
  std::optional<Llama3Rope> llama3;
};

struct RotaryTable {
  at::Tensor cos;  // (P, D/2) f32: transformers forms angles in f32 for every model dtype
  at::Tensor sin;  // (P, D/2) f32
};

RotaryTable rotary_table(const RotarySpec& spec, int64_t num_positions);

// Grows a table on demand and hands out a copy of its handles; safe from several threads.
class RotaryCache {
 public:
  RotaryTable get(const RotarySpec& spec, int64_t num_positions);

 private:
  std::mutex mutex_;
  RotaryTable table_;
};

// In place.   x: (N, heads, D) f32 or f64, dense heads   positions: (N) int64 in [0, P)
void rotate_(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table);
// The inverse, which is also the backward.
void rotate_back_(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table);

at::Tensor rotate_ref(const at::Tensor& x, const at::Tensor& positions, const RotaryTable& table);

}  // namespace plumb
