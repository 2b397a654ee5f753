// The CPU as the kernels of core/ops see it.
#pragma once
#include <string>
#include <vector>

namespace plumb {

struct Cpu {
  std::string name;
  int cores = 1;                     // that this process may run on
  std::vector<std::string> has;      // of the instruction sets that kernels choose between
  std::vector<std::string> missing;  // that this build's compiler was allowed to use
};

// From a file as /proc/cpuinfo, whose names of instruction sets these are.
Cpu read_cpu(const std::string& cpuinfo = "/proc/cpuinfo");

}  // namespace plumb
