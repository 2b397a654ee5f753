// Cases timed on a GPU, each beside ATen's composition of the same.
#pragma once
#include <string>

namespace plumb::kernels {

// Opens libplumb_cuda.so of `folder`, times every case at the size of a model's step, and prints a
// CSV of microseconds. Ends the program's work: 0.
int time_on_gpu(const std::string& folder);

}  // namespace plumb::kernels
