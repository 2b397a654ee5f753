// How a config's positions become rotary tables and limits.
#pragma once
#include <cstdint>

#include "core/io/model_config.h"
#include "core/ops/rope.h"

namespace plumb {

inline RotarySpec rotary_of(const ModelConfig& config) {
  return {config.rotary_dim, config.rope_theta, config.rope_scaling};
}

}  // namespace plumb
