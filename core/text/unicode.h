// UTF-8 and the classes of code points that tokenizers ask for. Predicates follow the `tokenizers`
// package (unicode_table.h). Text that is passed around inside core/text is valid UTF-8: `to_valid`
// makes it so at the door.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/unicode_table.h"

namespace plumb::text {

inline constexpr char32_t kMaxCodePoint = 0x10FFFF;
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct DecodedChar {
  char32_t code = 0;
  int length = 0;  // bytes; of an invalid sequence, those that one U+FFFD stands for
  bool is_valid = true;
};

// The character at `at` (below text.size()). An invalid sequence ends where Rust's and Python's
// decoders end it: after the longest start of a well-formed one, or after one byte.
DecodedChar decode_beyond_ascii(std::string_view text, std::size_t at);
inline DecodedChar decode_char(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1, true};
  return decode_beyond_ascii(text, at);
}
// Whether text[at..] is the start of a well-formed character that more bytes could finish.
bool is_unfinished_char(std::string_view text, std::size_t at);

void append_char(std::string& out, char32_t code);
std::string from_char(char32_t code);
bool is_valid_utf8(std::string_view text);
// Where the first byte of [at, text.size()) beyond ASCII is, or text.size().
std::size_t ascii_end(std::string_view text, std::size_t at);
// `text` itself, or with each invalid sequence replaced by U+FFFD in `storage`.
std::string_view to_valid(std::string_view text, std::string& storage);

// By tables, but for ASCII, where all Unicode versions agree.
bool is_space_beyond_ascii(char32_t code);
bool is_numeric_beyond_ascii(char32_t code);
bool is_punctuation_beyond_ascii(char32_t code);
bool is_word(char32_t code);

inline bool is_ascii_alphanumeric(char32_t code) {
  return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') ||
         (code >= 'a' && code <= 'z');
}
inline bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  return is_space_beyond_ascii(code);
}
inline bool is_numeric(char32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : is_numeric_beyond_ascii(code);
}
inline bool is_punctuation(char32_t code) {
  if (code < 0x80) return code > ' ' && code < 0x7F && !is_ascii_alphanumeric(code);
  return is_punctuation_beyond_ascii(code);
}
bool is_bert_control(char32_t code);
bool is_nonspacing_mark(char32_t code);
bool is_combining_mark(char32_t code);
bool is_grapheme_extender(char32_t code);
std::uint32_t split_script(char32_t code);  // as split_script_starts() numbers them

// A set of code points as ordered, disjoint, non-adjacent ranges.
using CodeSet = std::vector<CodeRange>;

CodeSet make_set(std::span<const CodeRange> ranges);  // of ranges in any order
CodeSet complement(const CodeSet& set);
CodeSet unite(const CodeSet& a, const CodeSet& b);
CodeSet intersect(const CodeSet& a, const CodeSet& b);
bool contains(std::span<const CodeRange> ranges, char32_t code);

// \p{name}: a general category ("L", "Lu", "Letter", ...) or a script ("Han"); case, spaces, '-'
// and '_' in the name do not count. Empty optional when not known.
bool find_property(std::string_view name, CodeSet& set);
// The names that find_property knows, for errors.
std::string property_names();

}  // namespace plumb::text
