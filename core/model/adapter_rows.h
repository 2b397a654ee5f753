// From the adapters of a forward pass to the updates of one layer's linears.
#pragma once
#include <cstdint>
#include <vector>

#include "core/model/decoder.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {

// Of the linears that lie in `product`; `sites` are the config's (core/io/linear_sites.h).
std::vector<LowRankUpdate> layer_updates(const ForwardOptions& options, int64_t layer,
                                         const std::vector<LinearSite>& sites, Product product);

// Row groups lie in [0, num_rows), do not overlap, and their adapters have `config`'s layers.
void check_adapters(const ForwardOptions& options, const ModelConfig& config, int64_t num_rows);

}  // namespace plumb
