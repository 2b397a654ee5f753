// map, select, reject and their kin: filters and tests by name over elements.
#include "core/text/jinja/filters.h"

namespace plumb::jinja {

namespace {

std::string name_of(const Value& value) {
  if (!value.is_string()) throw Fault{"the name of a filter or test must be text"};
  return std::string(value.view());
}

Value map(Interpreter& in, const Value& value, Arguments& arguments) {
  std::vector<Value> out;
  const bool is_attribute = arguments.values.empty() && !arguments.named.empty();
  if (is_attribute) {
    const Bound bound("map", arguments, {"attribute", "default"}, 1);
    const AttributeGetter getter(in, bound.find(0), bound.find(1));
    for (const Value& element : in.elements(value)) out.push_back(getter(element));
    return in.heap().sequence(SequenceType::generator, std::move(out));
  }
  if (arguments.values.empty()) throw Fault{"map requires a filter argument"};
  const std::string name = name_of(arguments.values.front());
  const std::vector<Value> rest(arguments.values.begin() + 1, arguments.values.end());
  for (const Value& element : in.elements(value)) {
    Arguments inner{rest, arguments.named};
    out.push_back(in.call_filter(name, element, inner));
  }
  return in.heap().sequence(SequenceType::generator, std::move(out));
}

// Of [attribute,] [test, arguments...].
template <bool keeps, bool by_attribute>
Value choose(Interpreter& in, const Value& value, Arguments& arguments) {
  constexpr std::size_t kTest = by_attribute ? 1 : 0;
  std::vector<Value>& given = arguments.values;
  std::vector<Value> out;
  if (!is_true(value)) return in.heap().sequence(SequenceType::generator, std::move(out));
  if (by_attribute && given.empty()) throw Fault{"Missing parameter for attribute name"};
  const AttributeGetter getter(in, by_attribute ? &given.front() : nullptr);
  const bool has_test = given.size() > kTest;
  const std::string name = has_test ? name_of(given[kTest]) : "";
  std::vector<Value> rest;
  if (has_test) rest.assign(given.begin() + kTest + 1, given.end());
  for (const Value& element : in.elements(value)) {
    Value result = getter(element);
    if (has_test) {
      Arguments inner{rest, arguments.named};
      result = in.call_test(name, result, inner);
    }
    if (is_true(result) == keeps) out.push_back(element);
  }
  return in.heap().sequence(SequenceType::generator, std::move(out));
}

constexpr NamedFunction kFilters[] = {
    {"map", map},
    {"reject", choose<false, false>},
    {"rejectattr", choose<false, true>},
    {"select", choose<true, false>},
    {"selectattr", choose<true, true>},
};

}  // namespace

std::span<const NamedFunction> choice_filters() {
  return kFilters;
}

}  // namespace plumb::jinja
