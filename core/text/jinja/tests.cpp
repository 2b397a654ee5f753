// `is` tests.
#include <cmath>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/format.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

namespace {

using Predicate = bool (*)(const Value&);

template <Predicate predicate>
Value test(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("test", arguments, {});
  return Value::of(predicate(value));
}

bool is_defined(const Value& value) {
  return !value.is_undefined();
}
bool is_undefined(const Value& value) {
  return value.is_undefined();
}
bool is_none(const Value& value) {
  return value.is(Kind::none);
}
bool is_boolean(const Value& value) {
  return value.is(Kind::boolean);
}
bool is_exactly_true(const Value& value) {
  return value.is(Kind::boolean) && value.boolean;
}
bool is_exactly_false(const Value& value) {
  return value.is(Kind::boolean) && !value.boolean;
}
bool is_integer(const Value& value) {
  return value.is(Kind::integer);
}
bool is_real(const Value& value) {
  return value.is(Kind::real);
}
bool is_number(const Value& value) {
  return value.is_number();
}
bool is_string(const Value& value) {
  return value.is_string();
}
bool is_mapping(const Value& value) {
  return value.is(Kind::dict);
}
bool is_escaped(const Value& value) {
  return value.is_string() && value.string->is_markup;
}

bool is_callable(const Value& value) {
  return value.is(Kind::callable) || value.is(Kind::loop) || value.is_undefined();
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is(Kind::sequence) ||
         value.is(Kind::dict) || value.is(Kind::loop);
}

// What has a length and can be subscripted.
bool is_sequence(const Value& value) {
  if (value.is_undefined() || value.is_string() || value.is(Kind::dict)) return true;
  return value.is(Kind::sequence) && (value.sequence->type == SequenceType::list ||
                                      value.sequence->type == SequenceType::tuple ||
                                      value.sequence->type == SequenceType::range);
}

template <bool wants_upper>
Value has_case(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("test", arguments, {});
  return Value::of(is_all_case(to_text(in.heap(), value).view(), wants_upper));
}

template <int rest>
Value parity(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("test", arguments, {});
  const Value got = apply_binary(in, Operator::modulo, value, Value::of(std::int64_t{2}));
  return Value::of(equal(in.heap(), got, Value::of(std::int64_t{rest})));
}

Value divisible_by(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  const Value got = apply_binary(in, Operator::modulo, value, bound.at(0));
  return Value::of(equal(in.heap(), got, Value::of(std::int64_t{0})));
}

template <Operator op>
Value compare(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("test", arguments, {"other"}, 1);
  return Value::of(apply_compare(in, op, value, bound.at(0)));
}

// Small numbers, constants and strings are one object in Python, by its grace.
Value same_as(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"}, 1);
  const Value& other = bound.at(0);
  if (value.kind != other.kind) return Value::of(false);
  if (value.is(Kind::sequence)) return Value::of(value.sequence == other.sequence);
  if (value.is(Kind::dict)) return Value::of(value.dict == other.dict);
  return Value::of(equal(in.heap(), value, other));
}

Value is_filter(Interpreter&, const Value& value, Arguments&) {
  return Value::of(value.is_string() && find_filter(value.view()) != nullptr);
}

Value is_test(Interpreter&, const Value& value, Arguments&) {
  return Value::of(value.is_string() && find_test(value.view()) != nullptr);
}

constexpr NamedFunction kTests[] = {
    {"!=", compare<Operator::not_equal>},
    {"<", compare<Operator::less>},
    {"<=", compare<Operator::less_equal>},
    {"==", compare<Operator::equal>},
    {">", compare<Operator::greater>},
    {">=", compare<Operator::greater_equal>},
    {"boolean", test<is_boolean>},
    {"callable", test<is_callable>},
    {"defined", test<is_defined>},
    {"divisibleby", divisible_by},
    {"eq", compare<Operator::equal>},
    {"equalto", compare<Operator::equal>},
    {"escaped", test<is_escaped>},
    {"even", parity<0>},
    {"false", test<is_exactly_false>},
    {"filter", is_filter},
    {"float", test<is_real>},
    {"ge", compare<Operator::greater_equal>},
    {"greaterthan", compare<Operator::greater>},
    {"gt", compare<Operator::greater>},
    {"in", compare<Operator::in>},
    {"integer", test<is_integer>},
    {"iterable", test<is_iterable>},
    {"le", compare<Operator::less_equal>},
    {"lessthan", compare<Operator::less>},
    {"lower", has_case<false>},
    {"lt", compare<Operator::less>},
    {"mapping", test<is_mapping>},
    {"ne", compare<Operator::not_equal>},
    {"none", test<is_none>},
    {"number", test<is_number>},
    {"odd", parity<1>},
    {"sameas", same_as},
    {"sequence", test<is_sequence>},
    {"string", test<is_string>},
    {"test", is_test},
    {"true", test<is_exactly_true>},
    {"undefined", test<is_undefined>},
    {"upper", has_case<true>},
};

}  // namespace

Function find_test(std::string_view name) {
  for (const NamedFunction& row : kTests) {
    if (row.name == name) return row.function;
  }
  return nullptr;
}

}  // namespace plumb::jinja
