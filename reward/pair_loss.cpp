#include "reward/pair_loss.h"

#include "reward/pair_loss_device.h"

namespace plumb {

at::Tensor pair_loss_sum(const PairRewards& rewards, double centering) {
  if (const KernelTable* const kernels = kernels_for(rewards.chosen)) {
    return device_pair_loss_sum(*kernels, rewards, centering);
  }
  const auto difference = rewards.chosen - rewards.rejected - rewards.margin;
  auto loss = at::softplus(-difference).sum();
  if (centering > 0) loss = loss + centering * (rewards.chosen + rewards.rejected).square().sum();
  return loss;
}

}  // namespace plumb
