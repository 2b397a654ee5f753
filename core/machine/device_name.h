// The words that name a device: "cpu", "cuda" (the rank's own GPU), "cuda:1".
#pragma once
#include <string>

namespace plumb {

struct DeviceName {
  bool is_cuda = false;
  int index = -1;  // of the GPU; -1: not named
};
// Throws Error (Exit::usage).
DeviceName parse_device(const std::string& text);

// The GPU that a rank takes: the one named, which one rank alone may be, or that of its number
// among the ranks of this machine.
int gpu_of_rank(const DeviceName& name, int local_rank, int ranks_here);

}  // namespace plumb
