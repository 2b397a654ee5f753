// Normalization forms and lower case, by ICU.
#pragma once
#include <string>
#include <string_view>

namespace plumb::text {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

std::string to_form(UnicodeForm form, std::string_view text);
std::string to_lower(std::string_view text);  // full mapping a character, without context

}  // namespace plumb::text
