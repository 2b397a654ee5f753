// Strict JSON: nlohmann's values, but duplicate keys, depth over `max_depth`, invalid UTF-8 and
// trailing bytes are errors that name `source` (a file, or file:line) and the byte offset.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace plumb {

using Json = nlohmann::ordered_json;  // keeps the order of keys, so files round-trip

struct JsonLimits {
  std::size_t max_bytes = std::size_t{1} << 30;
  int max_depth = 64;
};

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits = {});
Json read_json(const std::string& path, const JsonLimits& limits = {});

}  // namespace plumb
