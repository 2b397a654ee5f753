// A row of bench/kernels.csv: a case, measured in the harness and against ATen in float64.
#pragma once
#include <string>
#include <vector>

#include "bench/kernels/harness_run.h"
#include "bench/kernels/ptxas.h"

namespace plumb::kernels {

struct OfArch {
  int64_t registers = -1;  // the most of the case's kernels; -1: not known without nvcc
  int64_t spill_bytes = -1;
  double occupancy = 0;  // the least of them
};

struct Row {
  std::string kernel, shape, dtype;
  Bound bound = Bound::memory;
  double error = 0, aten_error = 0, error_ratio = 0;
  double unique_bytes = 0, floor = 0, requested_bytes = 0;
  double sector_efficiency = 1, conflict_factor = 1;
  OfArch sm_80 = {}, sm_90 = {};
  double h100_us = 0, h200_us = 0;  // predicted
  std::string predicted_for = {};

  double bytes_ratio() const { return unique_bytes / floor; }
};

// ||got - want|| / ||want||, both in f64.
double relative_error(const at::Tensor& got, const at::Tensor& want);

// `resources` may be empty.
Row measured(const KernelCase& one, const KernelTable& table, const ResourceMap& resources);

}  // namespace plumb::kernels
