// The harness's kernels as a table whose launches are counted and checked: a defect in a launch is
// an Error that tells it.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/ops/kernel_table.h"

namespace plumb::simt {

const KernelTable* counted_kernels();

// Launches of each entry since the last reset; entries without one are there with 0.
std::map<std::string, int64_t> launch_counts();
void reset_launch_counts();

}  // namespace plumb::simt
