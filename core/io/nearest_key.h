// Which known key a misspelt one most likely meant.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

// Edits that turn one into the other: insert, delete, replace, swap neighbours (Damerau, optimal
// string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The known key with the fewest edits, if that is few for its length (at most 2, or a third).
std::optional<std::string> nearest_key(std::string_view key, const std::vector<std::string>& known);

}  // namespace plumb
