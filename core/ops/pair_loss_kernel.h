// The pairwise loss of a reward model and its gradient on the GPU (reward/pair_loss.h):
//   sum of -log sigmoid(r_c - r_r - margin) + centering (r_c + r_r)^2
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

inline constexpr int64_t kPairLossSums = 2;  // the loss; pairs whose chosen reward is the higher

struct PairLoss {
  float* grad_chosen = nullptr;     // (B): of scale times the sum; may be chosen
  float* grad_rejected = nullptr;   // (B); may be rejected
  double* sums = nullptr;           // (kPairLossSums), f64 in a fixed order
  const float* chosen = nullptr;    // (B)
  const float* rejected = nullptr;  // (B)
  const float* margin = nullptr;    // (B) or null: 0
  const float* scale = nullptr;     // one f32 on the device: 1 / pairs
  int64_t pairs = 0;                // B; may be 0
  float centering = 0.0f;
};
void launch_pair_loss(const PairLoss& op, KernelStream stream);

}  // namespace plumb
