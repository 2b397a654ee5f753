#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace plumb {

// "1 403 407" -> ids; anything that is no id is an Error (Exit::usage).
std::vector<std::int32_t> parse_ids(const std::string& text);

}  // namespace plumb
