// What all layers of one forward pass share.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/model/block_norm.h"
#include "core/ops/activation.h"
#include "core/ops/attention.h"
#include "core/ops/rope.h"

namespace plumb {

struct ForwardPass {
  int64_t heads = 0;     // H
  int64_t kv_heads = 0;  // K
  int64_t head_dim = 0;  // D
  NormRule norm;
  ActivationRule activation;
  std::vector<int64_t> cu_seqlens;              // (B + 1)
  std::vector<int64_t> source_cu_seqlens = {};  // (B + 1), of what cross-attentions read
  RotaryTable rotary;                           // undefined where q and k are not turned
  at::Tensor rotary_rows;                       // (N): each token's row of the table
  AttentionOptions attention;                   // but for what differs between layers
  std::vector<int64_t> windows;                 // (L) or empty, as ModelConfig::windows

  // Of one layer.
  AttentionOptions attention_of(int64_t layer) const {
    AttentionOptions options = attention;
    options.window = windows.empty() ? 0 : windows[layer];
    return options;
  }
};

using SharedPass = std::shared_ptr<const ForwardPass>;

}  // namespace plumb
