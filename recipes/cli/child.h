// A stage as a process of its own: its memory ends with it, and its ranks are its business.
#pragma once
#include <string>
#include <vector>

namespace plumb {

// Runs this program with `arguments`, passing SIGTERM and SIGINT on; returns its exit status (128 +
// signal when a signal ended it).
int run_child(const std::vector<std::string>& arguments);

}  // namespace plumb
