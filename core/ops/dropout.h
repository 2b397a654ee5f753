// Dropout whose mask is a function of (seed, id, element): backward and a resumed run draw it
// again, so no mask is stored.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace plumb {

struct Dropout {
  double p = 0.0;  // chance that an element becomes zero; the rest are divided by 1 - p
  uint64_t seed = 0;
  uint64_t id = 0;        // which mask of this seed: step and linear
  int64_t first_row = 0;  // row of the packed batch that x's row 0 is
};

// x (M, I) dense, in place. Element (row, col) takes word e % 4 of the Philox block e / 4 of
// Stream::dropout, where e = (first_row + row) I + col, and is kept when it is >= p 2^32.
void dropout_(const at::Tensor& x, const Dropout& dropout);

}  // namespace plumb
