// PPO's clipped value loss and its gradient on the GPU (ppo/ppo_loss.h: value_loss_sum):
//   1/2 sum of max((v - R)^2, (clip(v, v_old - eps, v_old + eps) - R)^2)
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"
#include "core/ops/cuda/sum64.h"

namespace plumb {

inline constexpr int64_t kValueLossSums =
    2;  // the loss; states at which the clipped square is larger

struct ValueLoss {
  float* grad_values = nullptr;       // (M): of scale times the sum; may be values
  double* sums = nullptr;             // (kValueLossSums), f64 in a fixed order
  double* partial = nullptr;          // value_loss_scratch(count) values
  const float* values = nullptr;      // (M)
  const float* old_values = nullptr;  // (M)
  const float* returns = nullptr;     // (M)
  const float* scale = nullptr;       // one f32 on the device: coefficient / states
  int64_t count = 0;                  // M; may be 0
  float cliprange = 0.2f;
};
void launch_value_loss(const ValueLoss& op, KernelStream stream);

inline int64_t value_loss_scratch(int64_t count) {
  return kValueLossSums * sum64_blocks(count);
}

}  // namespace plumb
