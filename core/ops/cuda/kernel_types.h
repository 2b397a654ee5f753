// Types in the signatures of kernel launchers. Plain C++: callers need no CUDA header.
#pragma once
#include <cstdint>

namespace plumb {

using KernelStream = void*;  // a cudaStream_t; the tests' harness takes any

// Of the activations and weights a kernel reads and writes; it accumulates in f32 either way.
enum class KernelDtype : int32_t { f32, bf16 };

}  // namespace plumb
