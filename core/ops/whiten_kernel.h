// Whitening over packed states on the GPU (ppo/advantage.h: TRL's masked_whiten). Moments are f64
// sums of a fixed order; between the two launches they may be added over ranks.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"
#include "core/ops/cuda/sum64.h"

namespace plumb {

inline constexpr int64_t kMoments = 3;  // count, sum, sum of squares

struct MomentSums {
  double* moments = nullptr;      // (kMoments)
  double* partial = nullptr;      // moments_scratch(count) values
  const float* values = nullptr;  // (S)
  const uint8_t* keep = nullptr;  // (S) or null: all; where 0, the value does not count
  int64_t count = 0;              // S; may be 0
};
void launch_moments(const MomentSums& op, KernelStream stream);

inline int64_t moments_scratch(int64_t count) {
  return kMoments * sum64_blocks(count);
}

// out = (x - mean) / sqrt(variance + 1e-8), variance / (n - 1), 0 for n < 2; plus the mean again
// where `keeps_mean`; 0 where keep is 0.
struct Whiten {
  float* out = nullptr;             // (S); may be values
  const float* values = nullptr;    // (S)
  const uint8_t* keep = nullptr;    // (S) or null
  const double* moments = nullptr;  // (kMoments)
  int64_t count = 0;
  bool keeps_mean = false;
};
void launch_whiten(const Whiten& op, KernelStream stream);

}  // namespace plumb
