// From the adapters of a forward pass to the updates of one layer's linears.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "core/model/decoder.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {

// Where a linear's output stands in a fused one: first column, and how many.
struct LinearPlace {
  Linear linear;
  int64_t column;
  int64_t outputs;
};

std::vector<LowRankUpdate> layer_updates(const ForwardOptions& options, int64_t layer,
                                         std::initializer_list<LinearPlace> places);

// Row groups lie in [0, num_rows), do not overlap, and their adapters have `config`'s layers.
void check_adapters(const ForwardOptions& options, const ModelConfig& config, int64_t num_rows);

}  // namespace plumb
