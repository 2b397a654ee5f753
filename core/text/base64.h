// Base64 (RFC 4648, section 4), as tokenizer files hold bytes.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace plumb::text {

std::optional<std::string> from_base64(std::string_view text);  // nothing when malformed
std::string to_base64(std::string_view bytes);

}  // namespace plumb::text
