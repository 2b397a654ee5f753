// CUDA graphs behind core/ops/device_graph.h.
#pragma once
#include "core/ops/device_graph.h"

namespace plumb {

const GraphFunctions& cuda_graphs();

}  // namespace plumb
