#pragma once
#include "recipes/jobs.h"

namespace plumb {

// Opens libplumb_jobs.so beside the program (0.3 to 0.5 s: it brings LibTorch) and returns its
// jobs.
const JobTable& open_jobs();

}  // namespace plumb
