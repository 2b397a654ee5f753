// Where this process computes. Every command that opens a model chooses before anything of ATen
// runs; what loads tensors then puts them there.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <string>

namespace plumb {

// Sets ATen's threads; for "cuda" and "cuda:N" opens the GPU part. Throws Error (Exit::usage) that
// says what is missing: a driver, a device, LibTorch's CUDA half, or libplumb_cuda.so.
void choose_device(const std::string& device, int64_t threads, int64_t ranks_here = 1,
                   int64_t local_rank = 0);

// What matrix products multiply on the chosen device: "f32"; or "bf16", which on a GPU is
// TensorFloat-32, three bits more exact and without copies of the weights. Throws Error
// (Exit::usage) on a CPU that does not multiply it.
void choose_precision(const std::string& precision);

// The device that was chosen; the CPU before.
at::Device chosen_device();

}  // namespace plumb
