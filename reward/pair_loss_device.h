// pair_loss_sum (reward/pair_loss.h) on a device: loss and gradients in one launch.
#pragma once
#include "core/ops/backend.h"
#include "reward/pair_loss.h"

namespace plumb {

at::Tensor device_pair_loss_sum(const KernelTable& kernels, const PairRewards& rewards,
                                double centering);

}  // namespace plumb
