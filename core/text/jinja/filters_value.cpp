#include <charconv>
#include <cmath>

#include "core/text/jinja/filters.h"
#include "core/text/jinja/numbers.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

namespace {

Value default_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool is_replaced = value.is_undefined() || (bound.truth(1, false) && !is_true(value));
  if (!is_replaced) return value;
  return bound.has(0) ? bound.at(0) : in.heap().text("");
}

Value abs_filter(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  if (value.is_undefined()) throw Fault{value.undefined->message};
  if (value.is(Kind::real)) return Value::of(std::abs(value.real));
  if (!value.is_integral()) throw Fault{"bad operand type for abs(): '" + type_name(value) + "'"};
  const std::int64_t number = value.to_integer();
  if (number == INT64_MIN) throw Fault{"a number does not fit 64 bits"};
  return Value::of(number < 0 ? -number : number);
}

Value int_filter(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  if (value.is_undefined()) throw Fault{value.undefined->message};
  std::optional<double> real;
  if (value.is_string()) {
    const auto base = bound.integer(1, 10);
    if (const auto number = parse_integer(value.view(), static_cast<int>(base))) {
      return Value::of(*number);
    }
    real = parse_real(value.view());
  } else if (value.is_integral()) {
    return Value::of(value.to_integer());
  } else if (value.is(Kind::real)) {
    real = value.real;
  }
  const bool fits = real && std::abs(*real) < 9.2e18;
  if (fits) return Value::of(static_cast<std::int64_t>(*real));
  if (real && std::isfinite(*real)) throw Fault{"a number does not fit 64 bits"};
  return bound.has(0) ? bound.at(0) : Value::of(std::int64_t{0});
}

Value float_filter(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  if (value.is_undefined()) throw Fault{value.undefined->message};
  if (value.is_number()) return Value::of(value.to_real());
  const auto real = value.is_string() ? parse_real(value.view()) : std::nullopt;
  if (real) return Value::of(*real);
  return bound.has(0) ? bound.at(0) : Value::of(0.0);
}

Value round_filter(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const std::string method = bound.has(1) ? bound.text(1).bytes : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    throw Fault{"method must be common, ceil or floor"};
  }
  if (value.is_undefined()) throw Fault{value.undefined->message};
  if (!value.is_number()) {
    throw Fault{"type " + type_name(value) + " doesn't define __round__ method"};
  }
  const std::int64_t precision = bound.integer(0, 0);
  if (std::abs(precision) > 300) throw Fault{"round's precision is out of range"};
  if (method == "common") {
    if (value.is_integral() && precision >= 0) return Value::of(value.to_integer());
    const double rounded = round_to(value.to_real(), static_cast<int>(precision));
    if (value.is_integral()) return Value::of(static_cast<std::int64_t>(rounded));
    return Value::of(rounded);
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value.to_real() * scale;
  return Value::of((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value attr(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"}, 1);
  const std::string& name = bound.text(0).bytes;
  if (value.is_undefined()) throw Fault{value.undefined->message};
  // Attributes only: what a dict holds under that name does not count.
  if (value.is(Kind::dict) && !find_dict_method(name)) {
    return in.heap().undefined("'dict object' has no attribute '" + name + "'");
  }
  return in.attribute(value, name);
}

Value file_size(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("filesizeformat", arguments, {"binary"});
  const auto size = value.is_string() ? parse_real(value.view()) : std::optional<double>();
  if (!value.is_number() && !size) throw Fault{"filesizeformat wants a number"};
  const double bytes = size ? *size : value.to_real();
  const bool is_binary = bound.truth(0, false);
  const double base = is_binary ? 1024 : 1000;
  if (bytes == 1) return in.heap().text("1 Byte");
  if (bytes < base) {
    return in.heap().text(std::to_string(static_cast<std::int64_t>(bytes)) + " Bytes");
  }
  double unit = base;
  std::size_t prefix = 0;
  while (prefix < 7 && bytes >= unit * base) {
    unit *= base;
    ++prefix;
  }
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f %c%s", bytes / unit,
                (is_binary ? "KMGTPEZY" : "kMGTPEZY")[prefix], is_binary ? "iB" : "B");
  return in.heap().text(text);
}

constexpr NamedFunction kFilters[] = {
    {"abs", abs_filter},           {"attr", attr},
    {"d", default_filter},         {"default", default_filter},
    {"filesizeformat", file_size}, {"float", float_filter},
    {"int", int_filter},           {"round", round_filter},
};

}  // namespace

std::span<const NamedFunction> value_filters() {
  return kFilters;
}

Function find_filter(std::string_view name) {
  for (const auto& table :
       {text_filters(), sequence_filters(), choice_filters(), value_filters()}) {
    for (const NamedFunction& row : table) {
      if (row.name == name) return row.function;
    }
  }
  return nullptr;
}

}  // namespace plumb::jinja
