// What all layers of one forward pass share.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ops/rope.h"

namespace plumb {

struct ForwardPass {
  int64_t heads = 0;     // H
  int64_t kv_heads = 0;  // K
  int64_t head_dim = 0;  // D
  double norm_eps = 0.0;
  at::Tensor positions;             // (N)
  std::vector<int64_t> cu_seqlens;  // (B + 1)
  RotaryTable rotary;
};

using SharedPass = std::shared_ptr<const ForwardPass>;

}  // namespace plumb
