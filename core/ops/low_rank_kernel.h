// LoRA's updates of a linear on the GPU (core/ops/low_rank_linear.h; Hu et al. 2021, eq. 3): all
// groups of rows, each with its own adapter, in one launch a product. The base product is not here:
// updates add onto it. Dropout of A's input is drawn inside, forward and backward, with the masks
// of core/ops/dropout.h. f32 sums in a fixed order, no atomics. Products keep the order (x A^T) B^T
// and (dY B) A; x A^T and its gradient are stored in `dtype`.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/ops/cuda/kernel_types.h"
#include "core/ops/philox.h"

namespace plumb {

// dropout.h's Dropout, as the kernels take it.
struct LowRankDropout {
  uint32_t key_x = 0, key_y = 0;
  uint32_t threshold = 0;  // words below it drop; 0: nothing is dropped
  float keep_scale = 1.0f;
  uint64_t id = 0;
  int64_t first_row = 0;  // row of the packed batch that the group's first row is
};
inline LowRankDropout low_rank_dropout(double p, uint64_t seed, uint64_t id, int64_t first_row) {
  if (!(p >= 0.0 && p < 1.0)) {
    throw Error("dropout: p must lie in [0, 1), got " + std::to_string(p));
  }
  const std::array<uint32_t, 2> key = philox_key(seed, Stream::dropout);
  return {
      key[0], key[1],   static_cast<uint32_t>(p * 0x1.0p32), static_cast<float>(1.0 / (1.0 - p)),
      id,     first_row};
}

// The update of columns [column, column + O) of y in rows [begin, end). Groups of one launch must
// not share an element of y; with grad_x they must not share rows, so the backward of linears that
// share their input (q, k, v) is a launch a linear.
struct LowRankGroup {
  int64_t begin = 0, end = 0;
  int64_t column = 0, out_width = 0, rank = 0;  // O, R
  const void* a = nullptr;                      // (R, I)
  const void* b = nullptr;                      // (O, R)
  void* narrow = nullptr;                       // (end - begin, R): x A^T; backward reads it
  void* grad_narrow = nullptr;                  // (end - begin, R): scratch of the backward
  void* grad_a = nullptr;                       // (R, I) or null: not wanted
  void* grad_b = nullptr;                       // (O, R) or null
  double scale = 1.0;
  LowRankDropout dropout = {};
};

struct LowRankGroups {
  const LowRankGroup* groups = nullptr;  // on the device
  int64_t count = 0;
  int64_t max_rows = 0, max_rank = 0, max_out = 0;  // of any group
  int64_t in_width = 0;                             // I
  KernelDtype dtype = KernelDtype::f32;
};

// narrow = drop(x) A^T, then y += scale narrow B^T.
struct LowRankForward {
  LowRankGroups of = {};
  const void* x = nullptr;  // (N, I), rows x_stride apart
  void* y = nullptr;        // (N, O'), rows y_stride apart: the base product
  int64_t x_stride = 0, y_stride = 0;
};
void launch_low_rank_forward(const LowRankForward& op, KernelStream stream);

// grad_narrow = scale dY B; grad_b = scale dY^T narrow; grad_x += drop(grad_narrow A);
// grad_a = grad_narrow^T drop(x). Products without extent are left out: where x is there only
// later, a second launch with max_rows and max_out 0 forms grad_a alone, from the first one's
// grad_narrow.
struct LowRankGradients {
  LowRankGroups of = {};
  const void* x = nullptr;       // (N, I); may be null where no grad_a is wanted
  const void* grad_y = nullptr;  // (N, O')
  void* grad_x = nullptr;        // (N, I) or null: not wanted
  int64_t x_stride = 0, grad_y_stride = 0, grad_x_stride = 0;
};
void launch_low_rank_backward(const LowRankGradients& op, KernelStream stream);

}  // namespace plumb
