// A case run once in the harness: what its kernels wrote, and what they moved.
#pragma once
#include "bench/kernels/kernel_case.h"
#include "tests/simt/run.h"

namespace plumb::kernels {

struct HarnessRun {
  Tensors outputs;
  std::vector<simt::LaunchRecord> launches;
  simt::Traffic traffic;  // of all launches
};

// Throws Error where the harness finds a defect.
HarnessRun run_in_harness(const KernelCase& one, const KernelTable& table);

}  // namespace plumb::kernels
