// value_loss_sum (ppo/ppo_loss.h) on a device: loss and gradient in one launch.
#pragma once
#include "core/ops/backend.h"
#include "ppo/ppo_loss.h"

namespace plumb {

at::Tensor device_value_loss_sum(const KernelTable& kernels, const ValueTargets& states,
                                 double cliprange, ValueStats& stats);

}  // namespace plumb
