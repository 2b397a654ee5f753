// Where text stops being UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
#pragma once
#include <cstddef>
#include <string_view>

namespace plumb {

// Offset of the first byte that does not belong to a whole, valid sequence; npos when all is well.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace plumb
