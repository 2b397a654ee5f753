// Normalization forms (ICU held to the Unicode version of the `tokenizers` package) and lower case.
#pragma once
#include <string>
#include <string_view>

namespace plumb::text {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

std::string to_form(UnicodeForm form, std::string_view text);
std::string to_lower(std::string_view text);  // each character by itself

}  // namespace plumb::text
