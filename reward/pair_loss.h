// The pairwise loss of a reward model (Bradley & Terry 1952; Ouyang et al. 2022, eq. 1), with the
// margin of Llama 2 (Touvron et al. 2023, eq. 2) and the centring of Eisenstein et al. 2023.
// Matches TRL 1.16 RewardTrainer.compute_loss.
#pragma once
#include <ATen/ATen.h>

namespace plumb {

struct PairRewards {
  at::Tensor chosen;    // (B) f32
  at::Tensor rejected;  // (B) f32
  at::Tensor margin;    // (B) f32; zeros where the data has none
};

// sum over pairs of -log sigmoid(r_c - r_r - margin) + centering * (r_c + r_r)^2 -> ()
// differentiable.
at::Tensor pair_loss_sum(const PairRewards& rewards, double centering);

}  // namespace plumb
