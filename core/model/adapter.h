// What an adapter adds to the linears of a decoder: y = x W^T + scale * (x A^T) B^T
// (LoRA, Hu et al. 2021, eq. 3). Making, loading, merging and saving adapters is lora/'s business;
// the decoder only applies them.
#pragma once
#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <vector>

#include "core/io/linear_sites.h"

namespace plumb {

struct LowRank {
  at::Tensor a;  // (R, I) f32; undefined where the adapter leaves this linear alone
  at::Tensor b;  // (O, R) f32, rows in the order of memory (LinearSite)
  bool defined() const { return a.defined(); }
};

struct Adapter {
  double scale = 1.0;                                    // alpha / R, or alpha / sqrt(R) for rsLoRA
  double dropout = 0.0;                                  // on the input of A, in training only
  std::vector<std::array<LowRank, kNumLinears>> layers;  // of all stacks, as DecoderWeights'

  const LowRank& at(int64_t layer, Linear linear) const {
    return layers[layer][static_cast<int>(linear)];
  }
};

// Rows [begin, end) of a packed batch go through `adapter`; a null adapter is the base alone.
struct AdapterRows {
  int64_t begin = 0;
  int64_t end = 0;
  const Adapter* adapter = nullptr;
};

// Dropout draws are keyed by (seed, step): counter-based, so a backward or a resumed run repeats
// them.
struct DropoutKey {
  uint64_t seed = 0;
  uint64_t step = 0;
};

}  // namespace plumb
