#include "core/text/jinja/operators.h"

#include <cmath>

#include "core/text/jinja/characters.h"
#include "core/text/jinja/escape.h"

namespace plumb::jinja {

namespace {

const char* sign_of(Operator op) {
  switch (op) {
    case Operator::add:
      return "+";
    case Operator::subtract:
      return "-";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::floor_divide:
      return "//";
    case Operator::modulo:
      return "%";
    case Operator::power:
      return "** or pow()";
    default:
      return "";
  }
}

[[noreturn]] void fail_types(Operator op, const Value& left, const Value& right) {
  throw Fault{std::string("unsupported operand type(s) for ") + sign_of(op) + ": '" +
              type_name(left) + "' and '" + type_name(right) + "'"};
}

[[noreturn]] void fail_overflow() {
  throw Fault{"a number does not fit 64 bits"};
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) {
    if (a == INT64_MIN) fail_overflow();
    return -a;
  }
  const std::int64_t quotient = a / b;
  return a % b != 0 && ((a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && ((rest < 0) != (b < 0)) ? rest + b : rest;
}

Value integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) throw Fault{"0.0 cannot be raised to a negative power"};
    return Value::of(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t result = 1;
  bool is_base_over = false;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) {
      if (is_base_over || __builtin_mul_overflow(result, base, &result)) fail_overflow();
    }
    is_base_over = is_base_over || __builtin_mul_overflow(base, base, &base);
  }
  return Value::of(result);
}

Value apply_integers(Operator op, std::int64_t a, std::int64_t b) {
  const bool divides =
      op == Operator::divide || op == Operator::floor_divide || op == Operator::modulo;
  if (divides && b == 0) {
    throw Fault{op == Operator::divide ? "division by zero" : "integer division or modulo by zero"};
  }
  std::int64_t result = 0;
  switch (op) {
    case Operator::add:
      if (__builtin_add_overflow(a, b, &result)) fail_overflow();
      return Value::of(result);
    case Operator::subtract:
      if (__builtin_sub_overflow(a, b, &result)) fail_overflow();
      return Value::of(result);
    case Operator::multiply:
      if (__builtin_mul_overflow(a, b, &result)) fail_overflow();
      return Value::of(result);
    case Operator::divide:
      return Value::of(static_cast<double>(a) / static_cast<double>(b));
    case Operator::floor_divide:
      return Value::of(floor_divide(a, b));
    case Operator::modulo:
      return Value::of(modulo(a, b));
    default:
      return integer_power(a, b);
  }
}

double real_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

Value real_power(double a, double b) {
  if (a == 0 && b < 0) throw Fault{"0.0 cannot be raised to a negative power"};
  if (a < 0 && b != std::floor(b)) throw Fault{"complex numbers are not supported"};
  const double result = std::pow(a, b);
  if (std::isinf(result) && !std::isinf(a) && !std::isinf(b)) {
    throw Fault{"(34, 'Numerical result out of range')"};
  }
  return Value::of(result);
}

Value apply_reals(Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return Value::of(a + b);
    case Operator::subtract:
      return Value::of(a - b);
    case Operator::multiply:
      return Value::of(a * b);
    case Operator::power:
      return real_power(a, b);
    default:
      break;
  }
  if (b == 0) {
    throw Fault{op == Operator::divide         ? "float division by zero"
                : op == Operator::floor_divide ? "float floor division by zero"
                                               : "float modulo"};
  }
  if (op == Operator::divide) return Value::of(a / b);
  const double rest = real_modulo(a, b);
  if (op == Operator::modulo) return Value::of(rest);
  return Value::of(std::round((a - rest) / b));
}

bool is_sequence(const Value& value, SequenceType type) {
  return value.is(Kind::sequence) && value.sequence->type == type;
}

bool is_list_or_tuple(const Value& value) {
  return is_sequence(value, SequenceType::list) || is_sequence(value, SequenceType::tuple);
}

Value add_texts(Heap& heap, const Value& left, const Value& right) {
  const bool is_markup = left.string->is_markup || right.string->is_markup;
  TextBuilder text;
  for (const Value* value : {&left, &right}) {
    heap.check_size(text.size() + value->string->bytes.size());
    if (is_markup && !value->string->is_markup) {
      append_escaped(*value->string, text);
    } else {
      text.append(*value->string);
    }
  }
  const Value sum = heap.text(text);
  return is_markup ? heap.markup(sum) : sum;
}

Value add(Heap& heap, const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) return add_texts(heap, left, right);
  if (left.is_string()) {
    throw Fault{"can only concatenate str (not \"" + type_name(right) + "\") to str"};
  }
  if (is_list_or_tuple(left)) {
    const SequenceType type = left.sequence->type;
    if (!is_sequence(right, type)) {
      throw Fault{"can only concatenate " + type_name(left) + " (not \"" + type_name(right) +
                  "\") to " + type_name(left)};
    }
    std::vector<Value> elements = left.sequence->elements;
    elements.insert(elements.end(), right.sequence->elements.begin(),
                    right.sequence->elements.end());
    return heap.sequence(type, std::move(elements));
  }
  fail_types(Operator::add, left, right);
}

Value repeat(Heap& heap, const Value& what, std::int64_t count) {
  const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (what.is_string()) {
    heap.check_size(what.string->bytes.size(), times);
    const std::size_t rounds = what.string->bytes.empty() ? 0 : times;
    TextBuilder text;
    for (std::size_t i = 0; i < rounds; ++i) text.append(*what.string);
    return heap.text(text);
  }
  const std::vector<Value>& one = what.sequence->elements;
  heap.check_size(one.size() * sizeof(Value), times);
  const std::size_t rounds = one.empty() ? 0 : times;
  std::vector<Value> elements;
  elements.reserve(one.size() * rounds);
  for (std::size_t i = 0; i < rounds; ++i) elements.insert(elements.end(), one.begin(), one.end());
  return heap.sequence(what.sequence->type, std::move(elements));
}

bool is_repeatable(const Value& value) {
  return value.is_string() || is_list_or_tuple(value);
}

}  // namespace

Value apply_unary(Operator op, const Value& value) {
  if (op == Operator::logical_not) return Value::of(!is_true(value));
  if (value.is_undefined()) throw Fault{value.undefined->message};
  const bool negates = op == Operator::negate;
  if (value.is(Kind::real)) return Value::of(negates ? -value.real : value.real);
  if (!value.is_integral()) {
    throw Fault{std::string("bad operand type for unary ") + (negates ? "-" : "+") + ": '" +
                type_name(value) + "'"};
  }
  if (value.to_integer() == INT64_MIN) fail_overflow();
  return Value::of(negates ? -value.to_integer() : value.to_integer());
}

Value apply_binary(Interpreter& interpreter, Operator op, const Value& left, const Value& right) {
  Heap& heap = interpreter.heap();
  // str % undefined formats it as "".
  const bool formats = op == Operator::modulo && left.is_string();
  if (formats) return format_percent(interpreter, *left.string, right);
  if (left.is_undefined()) throw Fault{left.undefined->message};
  if (right.is_undefined()) {
    if (op == Operator::add && left.is_string()) {
      // Python asks the right operand when the left one declines.
      throw Fault{right.undefined->message};
    }
    throw Fault{right.undefined->message};
  }
  if (left.is_integral() && right.is_integral()) {
    return apply_integers(op, left.to_integer(), right.to_integer());
  }
  if (left.is_number() && right.is_number()) {
    return apply_reals(op, left.to_real(), right.to_real());
  }
  if (op == Operator::add) return add(heap, left, right);
  if (op == Operator::multiply && is_repeatable(left) && right.is_integral()) {
    return repeat(heap, left, right.to_integer());
  }
  if (op == Operator::multiply && is_repeatable(right) && left.is_integral()) {
    return repeat(heap, right, left.to_integer());
  }
  fail_types(op, left, right);
}

}  // namespace plumb::jinja
