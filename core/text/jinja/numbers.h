#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace plumb::jinja {

// int(text, base) and float(text); nothing where Python raises ValueError or the number does not
// fit.
std::optional<std::int64_t> parse_integer(std::string_view text, int base);
std::optional<double> parse_real(std::string_view text);
double round_to(double value, int digits);  // round(value, digits)

}  // namespace plumb::jinja
