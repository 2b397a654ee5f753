#include "core/machine/device_name.h"

#include <charconv>

#include "core/error.h"

namespace plumb {

DeviceName parse_device(const std::string& text) {
  static const std::string kPrefix = "cuda:";
  if (text == "cpu") return {};
  if (text == "cuda") return {true, -1};
  int index = -1;
  const char* const end = text.data() + text.size();
  if (text.starts_with(kPrefix)) {
    const auto read = std::from_chars(text.data() + kPrefix.size(), end, index);
    if (read.ec == std::errc() && read.ptr == end && index >= 0) return {true, index};
  }
  throw Error("device '" + text + "': must be cpu, cuda, or a GPU by number as cuda:0",
              Exit::usage);
}

int gpu_of_rank(const DeviceName& name, int local_rank, int ranks_here) {
  if (name.index >= 0 && ranks_here > 1) {
    throw Error("device cuda:" + std::to_string(name.index) + " for " + std::to_string(ranks_here) +
                    " ranks: each rank needs a GPU of its own; write cuda, and choose GPUs by "
                    "CUDA_VISIBLE_DEVICES",
                Exit::usage);
  }
  return name.index >= 0 ? name.index : local_rank;
}

}  // namespace plumb
