// What the Python libraries make of a file of ours: tests/oracle/make_safetensors.py.
#pragma once
#include <optional>
#include <string>

#include "core/io/json.h"

namespace plumb {

// nullopt when the oracle's Python is not installed: skip the test.
std::optional<Json> ask_oracle(const std::string& arguments);

}  // namespace plumb
