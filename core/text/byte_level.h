// GPT-2's alphabet: each byte as a printable character (printable bytes stand for themselves, the
// others are U+0100 on). radford2019gpt2, encoder.py, bytes_to_unicode.
#pragma once
#include <string>
#include <string_view>

namespace plumb::text {

// Each byte of `text` as its character.
std::string to_byte_level(std::string_view text);
// Appends the character of one byte.
void append_byte_level(std::string& out, unsigned char byte);
// Appends the bytes that `token` spells, or `token` itself when a character of it is not of the
// alphabet.
void append_from_byte_level(std::string_view token, std::string& bytes);

// GPT-2's pattern, which ByteLevel applies with use_regex.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace plumb::text
