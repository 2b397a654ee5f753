// URLs, by libcurl's parser.
#pragma once
#include <string>
#include <string_view>

namespace plumb::hub {

// Percent-encoding: "a b" -> "a%20b".
std::string escape_path(std::string_view path);       // slashes stay
std::string escape_component(std::string_view text);  // slashes do not

// Scheme, host and port of two URLs are the same.
bool is_same_origin(const std::string& a, const std::string& b);

std::string host_of(const std::string& url);

// Where an answer's Location header leads from `from`. Throws Error for what is not followed: no
// URL, https to http, any other scheme.
std::string redirected(const std::string& from, const std::string& location);

}  // namespace plumb::hub
