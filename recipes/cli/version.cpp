#include "recipes/cli/version.h"

namespace plumb {

std::string version_line() {
  return std::string("plumb ") + PLUMB_VERSION;
}

}  // namespace plumb
