// The one exception type for what a user can mend: a message that names file, key, tensor or rank,
// the rule, the value received and what to do. main() prints it and exits with `code`.
#pragma once
#include <stdexcept>
#include <string>

namespace plumb {

enum class Exit : int {
  ok = 0,
  failed = 1,       // an error of the run: I/O, out of memory, a lost rank
  usage = 2,        // command line or recipe
  bad_input = 3,    // model, data or checkpoint files
  non_finite = 4,   // loss or gradient became NaN or infinite
  interrupted = 5,  // SIGINT or SIGTERM: a checkpoint was saved
};

struct Error : std::runtime_error {
  explicit Error(const std::string& message, Exit exit_code = Exit::bad_input)
      : std::runtime_error(message), code(exit_code) {}
  Exit code;
};

}  // namespace plumb
