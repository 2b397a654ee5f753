#include "core/text/jinja/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/text/jinja/characters.h"

namespace plumb::jinja {

namespace {

std::string_view stripped(std::string_view text) {
  text.remove_prefix(skip_space(text, 0));
  while (!text.empty() &&
         skip_space(text, text.size() - char_bytes_before(text, text.size())) == text.size()) {
    text.remove_suffix(char_bytes_before(text, text.size()));
  }
  return text;
}

// Python allows single underscores between digits.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool is_between = i > 0 && i + 1 < text.size() && std::isalnum(text[i - 1]) != 0 &&
                            std::isalnum(text[i + 1]) != 0;
    if (!is_between) return std::nullopt;
  }
  return out;
}

bool has_prefix(std::string_view text, int base) {
  if (text.size() < 3 || text[0] != '0') return false;
  const char letter = static_cast<char>(text[1] | 0x20);
  return (base == 16 && letter == 'x') || (base == 8 && letter == 'o') ||
         (base == 2 && letter == 'b');
}

template <class Number, class... Rest>
std::optional<Number> convert(const std::string& text, Rest... rest) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, rest...);
  if (result.ec != std::errc() || result.ptr != end || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  text = stripped(text);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  for (const int known : {16, 8, 2}) {
    const bool is_known = (base == 0 || base == known) && has_prefix(text, known);
    if (!is_known) continue;
    text.remove_prefix(2);
    base = known;
    break;
  }
  const auto digits = without_underscores(text);
  if (!digits || digits->starts_with('-')) return std::nullopt;
  const auto value = convert<std::int64_t>((is_negative ? "-" : "") + *digits, base ? base : 10);
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  text = stripped(text);
  if (text.starts_with('+') && !text.substr(1).starts_with('-')) text.remove_prefix(1);
  auto digits = without_underscores(text);
  if (!digits) return std::nullopt;
  std::transform(digits->begin(), digits->end(), digits->begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  if (digits->find_first_of("xp(") != std::string::npos) return std::nullopt;
  return convert<double>(*digits);
}

// Python rounds the decimal expansion, half to even where it is exact.
double round_to(double value, int digits) {
  if (!std::isfinite(value)) return value;
  if (digits >= 0) {
    char text[512];
    std::snprintf(text, sizeof(text), "%.*f", std::min(digits, 330), value);
    return std::stod(text);
  }
  const double scale = std::pow(10.0, -digits);
  return std::nearbyint(value / scale) * scale;
}

}  // namespace plumb::jinja
