// Opens the GPU part for a job. Nothing of ATen may have run before: it looks for its CUDA half
// once, and what it did not find then is missing for good.
#pragma once
#include <string>

#include "core/cuda/plugin.h"

namespace plumb {

// Opens LibTorch's CUDA half and libplumb_cuda.so, which lies in `folder`, selects `device`, and
// lets ops on CUDA tensors go to its kernels. Throws Error (Exit::usage) that says what is missing
// and the command that mends it. Once a process.
void open_cuda(const std::string& folder, int device);

// What open_cuda() opened; null before.
const CudaPlugin* cuda_plugin();

}  // namespace plumb
