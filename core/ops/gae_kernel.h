// Generalised advantage estimation on the GPU (ppo/advantage.h): a reverse scan of
// A_t = delta_t + gamma lambda A_{t+1}, delta_t = r_t + gamma V_{t+1} - V_t over packed sequences,
// with V = A = 0 after the last state of each (Schulman et al. 2016, eq. 16). f32, fixed order.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

struct Gae {
  float* advantages = nullptr;         // (S)
  float* returns = nullptr;            // (S) or null: advantages + values
  const float* rewards = nullptr;      // (S)
  const float* values = nullptr;       // (S)
  const int64_t* cu_states = nullptr;  // (B + 1): where each sequence begins
  int64_t sequences = 0;               // B
  float gamma = 1.0f, lambda = 1.0f;
};
void launch_gae(const Gae& gae, KernelStream stream);

}  // namespace plumb
