#pragma once
#include <string>
#include <string_view>

namespace plumb::jinja {

// What stands between the quotes of a string, with Python's escapes resolved. Throws Fault.
std::string unescape(std::string_view literal);

}  // namespace plumb::jinja
