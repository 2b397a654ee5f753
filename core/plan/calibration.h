// What is measured on this machine before a plan: the jobs' library does it
// (recipes/calibrate.cpp), with the code that will run.
#pragma once
#include <cstdint>
#include <vector>

#include "core/plan/work.h"

namespace plumb::plan {

// How the run computes.
struct CalibrationRequest {
  std::int64_t threads = 0;      // 0: all cores
  bool multiplies_bf16 = false;  // run.precision
};

struct Calibration {
  double flops = 0;             // of the layers' products and attention, a second
  double bytes_per_second = 0;  // through the optimizer's sweep
  double program_bytes = 0;     // resident: libraries, tokenizer, buffers of the matrix products
};

}  // namespace plumb::plan
