#include "ppo/checkpoint_tensors.h"

#include "lora/attach.h"

namespace plumb {

std::vector<NamedTensor> policy_parameters(const PpoModels& models) {
  return prefixed("policy.", parameters(*models.policy));
}

std::vector<NamedTensor> critic_parameters(const PpoModels& models) {
  return joined(prefixed("critic.", parameters(*models.critic)),
                {{"critic.score", models.critic_head}});
}

std::vector<NamedTensor> joined(std::vector<NamedTensor> first,
                                const std::vector<NamedTensor>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<NamedTensor> prefixed(const std::string& prefix, std::vector<NamedTensor> tensors) {
  for (NamedTensor& tensor : tensors) tensor.name = prefix + tensor.name;
  return tensors;
}

std::vector<NamedTensor> without_prefix(const std::string& prefix,
                                        const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> found;
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.name.starts_with(prefix)) continue;
    found.push_back({tensor.name.substr(prefix.size()), tensor.tensor});
  }
  return found;
}

}  // namespace plumb
