// Tokens that a model can take.
#pragma once
#include "core/io/model_config.h"

namespace plumb {

// Frequencies follow the sequence's length (dynamic NTK).
inline bool rotates_by_length(const ModelConfig& config) {
  return config.positions == Positions::rope && config.rope_scaling.type == RopeType::dynamic;
}

// Positions that a sequence may have: max_position_embeddings; dynamic scaling, which leaves that
// at the original length in configs, stretches it by its factor.
inline std::int64_t position_limit(const ModelConfig& config) {
  const double stretch = rotates_by_length(config) ? config.rope_scaling.factor : 1.0;
  return static_cast<std::int64_t>(static_cast<double>(config.max_position_embeddings) * stretch);
}

}  // namespace plumb
