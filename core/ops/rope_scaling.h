// The frequencies of rotary embeddings and how configs stretch them, step by step in f32 and in the
// order of transformers' modeling_rope_utils.py, so that tables have transformers' bits.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "core/ops/rope.h"

namespace plumb {

struct RotaryFrequencies {
  at::Tensor inv_freq;            // (R / 2) f32
  double attention_factor = 1.0;  // cos and sin are multiplied by it
};

// `length`: of the sequence, which dynamic scaling asks for; 0: within the original length.
RotaryFrequencies rotary_frequencies(const RotarySpec& spec, int64_t length);

}  // namespace plumb
