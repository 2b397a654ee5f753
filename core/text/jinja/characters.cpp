#include "core/text/jinja/characters.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

UChar32 of(char32_t code) {
  return static_cast<UChar32>(code);
}

bool has_type(char32_t code, std::uint32_t mask) {
  return (U_GET_GC_MASK(of(code)) & mask) != 0;
}

std::string to_utf8(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

icu::UnicodeString from_utf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 9 && code <= 13) || (code >= 28 && code <= 31);
  return code == 0x85 || has_type(code, U_GC_Z_MASK);
}

bool is_printable(char32_t code) {
  if (code < 0x7F) return code >= ' ';
  return !has_type(code, U_GC_C_MASK | U_GC_Z_MASK);
}

bool is_alpha(char32_t code) {
  return has_type(code, U_GC_L_MASK);
}
bool is_decimal(char32_t code) {
  return has_type(code, U_GC_ND_MASK);
}

bool is_digit(char32_t code) {
  const auto type = u_getIntPropertyValue(of(code), UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}

bool is_numeric(char32_t code) {
  return u_getIntPropertyValue(of(code), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

bool is_lower(char32_t code) {
  return u_isULowercase(of(code)) != 0;
}
bool is_upper(char32_t code) {
  return u_isUUppercase(of(code)) != 0;
}
bool is_title(char32_t code) {
  return has_type(code, U_GC_LT_MASK);
}

bool is_name_start(char32_t code) {
  return code == '_' || u_hasBinaryProperty(of(code), UCHAR_XID_START) != 0;
}

bool is_name_part(char32_t code) {
  return code == '_' || u_hasBinaryProperty(of(code), UCHAR_XID_CONTINUE) != 0;
}

std::string to_upper(std::string_view text) {
  if (is_ascii(text)) {
    std::string out(text);
    for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return out;
  }
  return to_utf8(from_utf8(text).toUpper(icu::Locale::getRoot()));
}

std::string to_lower(std::string_view text) {
  if (is_ascii(text)) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
  }
  return to_utf8(from_utf8(text).toLower(icu::Locale::getRoot()));
}

std::string to_title(std::string_view text) {
  if (is_ascii(text)) return to_upper(text);
  return to_utf8(from_utf8(text).toTitle(
      nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_LOWERCASE | U_TITLECASE_NO_BREAK_ADJUSTMENT));
}

std::string fold_case(std::string_view text) {
  return to_utf8(from_utf8(text).foldCase());
}

std::size_t char_bytes(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
  return end - at;
}

std::size_t char_bytes_before(std::string_view text, std::size_t at) {
  std::size_t begin = at - 1;
  while (begin > 0 && (text[begin] & 0xC0) == 0x80) --begin;
  return at - begin;
}

std::size_t byte_of_char(std::string_view text, std::int64_t index, bool is_ascii) {
  if (is_ascii) return static_cast<std::size_t>(index);
  std::size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += char_bytes(text, at);
  return at;
}

std::int64_t count_chars(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const text::DecodedChar c = text::decode_char(text, at);
    if (!is_space(c.code)) break;
    at += static_cast<std::size_t>(c.length);
  }
  return at;
}

}  // namespace plumb::jinja
