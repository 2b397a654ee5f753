// How long work takes on a GPU that is not here: each product by the slower of its operations and
// its memory, each sweep by its memory, at the shares of the peaks that good kernels reach.
#pragma once
#include "core/plan/device.h"
#include "core/plan/work.h"

namespace plumb::plan {

// Of the data sheet's peaks (published kernels: 646 to 738 of 989 TFLOP/s in large products; 85 to
// 92 % of the memory's rate in sweeps).
constexpr double kGemmShare = 0.70;
constexpr double kMemoryShare = 0.85;

// Seconds of one of the item.
double seconds_on(const WorkItem& item, const Device& device, const Precision& precision);

}  // namespace plumb::plan
