// What PPO trains, by name: for the optimizers and for checkpoints, in which policy and critic lie
// side by side.
#pragma once
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "ppo/models.h"

namespace plumb {

// "policy.layers.0.q.a", ...
std::vector<NamedTensor> policy_parameters(const PpoModels& models);
// "critic.layers.0.q.a", ..., "critic.score"
std::vector<NamedTensor> critic_parameters(const PpoModels& models);

std::vector<NamedTensor> joined(std::vector<NamedTensor> first,
                                const std::vector<NamedTensor>& second);
std::vector<NamedTensor> prefixed(const std::string& prefix, std::vector<NamedTensor> tensors);
// Those that have the prefix, their names without it.
std::vector<NamedTensor> without_prefix(const std::string& prefix,
                                        const std::vector<NamedTensor>& tensors);

}  // namespace plumb
