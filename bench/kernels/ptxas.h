// What a kernel takes of a multiprocessor: from nvcc's -Xptxas -v, and the occupancy that follows.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace plumb::kernels {

struct Resources {
  int64_t registers = 0;  // of a thread
  int64_t spill_bytes = 0;
  int64_t stack_bytes = 0;
};

// By architecture ("sm_90") and kernel_key of the function.
using ResourceMap = std::map<std::string, std::map<std::string, Resources>>;

// Reads every *.ptxas.txt of a folder. Throws Error where there is none.
ResourceMap read_ptxas(const std::string& folder);

// "plumb::(anonymous namespace)::rope_kernel<float, 4>" of a demangled function, host or device.
std::string kernel_key(const std::string& demangled);

// What limits residency on a multiprocessor (CUDA programming guide, compute capabilities).
struct Multiprocessor {
  const char* arch;
  int64_t shared_bytes;  // blocks share
};
inline constexpr Multiprocessor kSm80{"sm_80", 164 * 1024}, kSm90{"sm_90", 228 * 1024};

// Warps that may be resident, over the 64 that a multiprocessor holds.
double occupancy(const Multiprocessor& sm, int64_t threads, int64_t registers,
                 int64_t shared_bytes);

}  // namespace plumb::kernels
