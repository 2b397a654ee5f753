// Text from a file or a server, as an error message shows it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace plumb {

// `text` as a JSON string literal of at most `longest` of its bytes, "..." where it was cut. Always
// valid UTF-8: bytes that are none, those of a cut character included, are shown as U+FFFD.
std::string json_quoted(std::string_view text, std::size_t longest = 200);

}  // namespace plumb
