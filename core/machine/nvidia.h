// NVIDIA's driver and NCCL, asked through their C interfaces by name, so that nothing of CUDA is
// needed to build or to start.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace plumb {

struct NvidiaDevice {
  std::string name;
  std::uint64_t bytes = 0;   // of memory
  int capability_major = 0;  // 9.0: sm_90
  int capability_minor = 0;
};

struct NvidiaDriver {
  int cuda = 0;  // newest CUDA that the driver runs: 13000 is 13.0
  std::vector<NvidiaDevice> devices;
  std::string problem;  // why there is no device to compute on, and what to do; empty: there is
};

// `library`: of the driver API. Never throws: what fails is the answer.
NvidiaDriver read_nvidia_driver(const std::string& library = "libcuda.so.1");

struct Nccl {
  int version = 0;      // 22809 is 2.28.9
  std::string problem;  // why it cannot be opened; empty: it can
};
Nccl read_nccl(const std::string& library = "libnccl.so.2");

}  // namespace plumb
