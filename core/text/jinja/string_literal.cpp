#include "core/text/jinja/string_literal.h"

#include <algorithm>

#include "core/text/jinja/limits.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return c;
    default:
      return 0;
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// \xhh, \uhhhh, \Uhhhhhhhh: the digits begin at `at`, which moves past them.
void append_hex(std::string& out, std::string_view literal, std::size_t& at, int digits) {
  char32_t code = 0;
  for (int i = 0; i < digits; ++i, ++at) {
    const int value = at < literal.size() ? hex_value(literal[at]) : -1;
    if (value < 0) throw Fault{"truncated \\x, \\u or \\U escape in a string"};
    code = code * 16 + static_cast<char32_t>(value);
  }
  if (code > text::kMaxCodePoint || (code >= 0xD800 && code <= 0xDFFF)) {
    throw Fault{"an escape in a string names no character"};
  }
  text::append_char(out, code);
}

void append_octal(std::string& out, std::string_view literal, std::size_t& at) {
  char32_t code = 0;
  for (int i = 0; i < 3 && at < literal.size() && literal[at] >= '0' && literal[at] <= '7'; ++i) {
    code = code * 8 + static_cast<char32_t>(literal[at++] - '0');
  }
  text::append_char(out, code);
}

void append_escape(std::string& out, std::string_view literal, std::size_t& at) {
  const char c = literal[at];
  const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (c == '\n') {
    ++at;
  } else if (const char simple = simple_escape(c)) {
    out += simple;
    ++at;
  } else if (c >= '0' && c <= '7') {
    append_octal(out, literal, at);
  } else if (digits > 0) {
    ++at;
    append_hex(out, literal, at, digits);
  } else if (c == 'N') {
    throw Fault{"\\N{...} in a string is not supported; write the character itself"};
  } else {
    out += '\\';  // unknown escapes stay as they are
  }
}

}  // namespace

std::string unescape(std::string_view literal) {
  std::string out;
  out.reserve(literal.size());
  for (std::size_t at = 0; at < literal.size();) {
    const bool is_escape = literal[at] == '\\' && at + 1 < literal.size();
    if (!is_escape) {
      out += literal[at++];
      continue;
    }
    append_escape(out, literal, ++at);
  }
  return out;
}

}  // namespace plumb::jinja
