#include "core/text/jinja/number_format.h"

#include <cmath>
#include <cstdio>

#include "core/text/jinja/characters.h"
#include "core/text/jinja/print.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

constexpr std::int64_t kMaxWidth = 1 << 20;
constexpr std::int64_t kMaxPrecision = 400;

bool is_align(char c) {
  return c == '<' || c == '>' || c == '^' || c == '=';
}

std::int64_t take_number(std::string_view text, std::size_t& at, std::int64_t limit) {
  std::int64_t value = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    value = value * 10 + (text[at++] - '0');
    if (value > limit) {
      throw Fault{"a width or precision in a format is more than " + std::to_string(limit)};
    }
  }
  return value;
}

std::string digits_of(std::uint64_t value, unsigned base, bool is_upper) {
  const char* kDigits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    out.insert(out.begin(), kDigits[value % base]);
    value /= base;
  } while (value > 0);
  return out;
}

void group_digits(std::string& digits, char group) {
  std::size_t end = digits.find_first_not_of("0123456789");
  if (end == std::string::npos) end = digits.size();
  for (std::size_t at = end; at > 3;) {
    at -= 3;
    digits.insert(at, 1, group);
  }
}

std::string signed_text(bool is_negative, const std::string& digits, char sign) {
  if (is_negative) return "-" + digits;
  return sign == '-' ? digits : sign + digits;
}

std::string format_integer(std::int64_t value, const FormatSpec& spec) {
  const std::uint64_t size =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const unsigned base = spec.type == 'x' || spec.type == 'X' ? 16
                        : spec.type == 'o'                   ? 8
                        : spec.type == 'b'                   ? 2
                                                             : 10;
  std::string digits = digits_of(size, base, spec.type == 'X');
  if (spec.group && base == 10) group_digits(digits, spec.group);
  if (spec.is_alternate && base != 10) digits = std::string("0") + spec.type + digits;
  return signed_text(value < 0, digits, spec.sign);
}

std::string format_real(double value, const FormatSpec& spec) {
  if (std::isnan(value)) return signed_text(false, "nan", spec.sign);
  const bool is_negative = std::signbit(value);
  if (std::isinf(value)) return signed_text(is_negative, "inf", spec.sign);
  if (spec.type == 0 && spec.precision < 0) {
    return signed_text(is_negative, real_text(std::abs(value)), spec.sign);
  }
  const bool is_percent = spec.type == '%';
  char type = spec.type == 0 || spec.type == 'n' ? 'g' : is_percent ? 'f' : spec.type;
  const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  const std::string format = std::string("%.*") + type;
  const double size = std::abs(value) * (is_percent ? 100 : 1);
  char buffer[1024];
  const int length = std::snprintf(buffer, sizeof(buffer), format.c_str(), precision, size);
  std::string digits(buffer, static_cast<std::size_t>(length));
  if (spec.group) group_digits(digits, spec.group);
  return signed_text(is_negative, digits + (is_percent ? "%" : ""), spec.sign);
}

}  // namespace

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  std::size_t at = 0;
  const std::size_t fill = text.empty() ? 0 : char_bytes(text, 0);
  if (fill > 0 && fill < text.size() && is_align(text[fill])) {
    spec.fill = text.substr(0, fill);
    spec.align = text[fill];
    at = fill + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  const auto is_at = [&](char c) { return at < text.size() && text[at] == c; };
  if (is_at('+') || is_at('-') || is_at(' ')) spec.sign = text[at++];
  if (is_at('#')) spec.is_alternate = ++at > 0;
  if (is_at('0')) {
    ++at;
    if (!spec.align) {
      spec.align = '=';
      spec.fill = "0";
    }
  }
  spec.width = take_number(text, at, kMaxWidth);
  if (is_at(',') || is_at('_')) spec.group = text[at++];
  if (is_at('.')) {
    const std::size_t digits = ++at;
    spec.precision = take_number(text, at, kMaxWidth);
    if (at == digits) throw Fault{"Format specifier missing precision"};
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) throw Fault{"Invalid format specifier"};
  return spec;
}

std::string format_number(const Value& number, const FormatSpec& spec) {
  constexpr std::string_view kIntegerTypes = "dxXobn", kRealTypes = "eEfFgG%n";
  const bool is_real = number.is(Kind::real);
  const bool as_real =
      is_real || (spec.type && kRealTypes.find(spec.type) != std::string::npos && spec.type != 'n');
  const std::string_view allowed = as_real ? kRealTypes : kIntegerTypes;
  if (spec.type == 'c' && !is_real) {
    if (number.to_integer() < 1 || number.to_integer() > 0xD7FF) {
      throw Fault{"%c is not a character"};
    }
    return text::from_char(static_cast<char32_t>(number.to_integer()));
  }
  if (spec.type && allowed.find(spec.type) == std::string_view::npos) {
    throw Fault{std::string("Unknown format code '") + spec.type + "' for object of type '" +
                type_name(number) + "'"};
  }
  if (as_real && spec.precision > kMaxPrecision) throw Fault{"precision too big"};
  if (!as_real && spec.precision >= 0) {
    throw Fault{"Precision not allowed in integer format specifier"};
  }
  return as_real ? format_real(number.to_real(), spec) : format_integer(number.to_integer(), spec);
}

}  // namespace plumb::jinja
