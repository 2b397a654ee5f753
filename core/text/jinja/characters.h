// Characters as Python's str sees them. Text is valid UTF-8.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace plumb::jinja {

bool is_space(char32_t code);  // str.isspace
bool is_printable(char32_t code);
bool is_alpha(char32_t code);
bool is_decimal(char32_t code);
bool is_digit(char32_t code);
bool is_numeric(char32_t code);
bool is_lower(char32_t code);
bool is_upper(char32_t code);
bool is_title(char32_t code);
bool is_name_start(char32_t code);
bool is_name_part(char32_t code);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);  // of one character
std::string fold_case(std::string_view text);

// Bytes of the character at `at`, or of the one that ends before it.
std::size_t char_bytes(std::string_view text, std::size_t at);
std::size_t char_bytes_before(std::string_view text, std::size_t at);
// Where character `index` begins; text.size() for one past the last.
std::size_t byte_of_char(std::string_view text, std::int64_t index, bool is_ascii);
std::int64_t count_chars(std::string_view text);
std::size_t skip_space(std::string_view text, std::size_t at);  // first byte that is no space

}  // namespace plumb::jinja
