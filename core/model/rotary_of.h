// A config's rotary embedding as core/ops/rope.h wants it.
#pragma once
#include "core/io/model_config.h"
#include "core/ops/rope.h"

namespace plumb {

inline RotarySpec rotary_of(const ModelConfig& config) {
  RotarySpec spec{config.head_dim, config.rope_theta, {}};
  if (config.rope_scaling.type == RopeType::llama3) {
    spec.llama3 =
        Llama3Rope{config.rope_scaling.factor, config.rope_scaling.low_freq_factor,
                   config.rope_scaling.high_freq_factor,
                   static_cast<double>(config.rope_scaling.original_max_position_embeddings)};
  }
  return spec;
}

}  // namespace plumb
