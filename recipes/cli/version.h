#pragma once
#include <string>

namespace plumb {

std::string version_line();  // "plumb 0.1.0 (a1b2c3d)"

}  // namespace plumb
