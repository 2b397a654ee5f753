// Numbers laid out as Python's format() and % do.
#pragma once
#include <string>
#include <string_view>

#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

// [[fill]align][sign][#][0][width][,][.precision][type]
struct FormatSpec {
  std::string fill = " ";
  char align = 0;
  char sign = '-';
  bool is_alternate = false;
  char group = 0;
  std::int64_t width = 0;
  std::int64_t precision = -1;
  char type = 0;
};

FormatSpec parse_format_spec(std::string_view text);  // Fault when malformed
// A number without padding: sign first. Fault for a type that does not fit it.
std::string format_number(const Value& number, const FormatSpec& spec);

}  // namespace plumb::jinja
