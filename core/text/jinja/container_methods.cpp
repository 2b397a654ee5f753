// Methods of dict, list and tuple that do not change them.
#include <algorithm>
#include <array>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/operators.h"

namespace plumb::jinja {

namespace {

Value get_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("get", arguments, {"key", "default"}, 1);
  check_hashable(bound.at(0));
  const Value* found = find_item(in.heap(), *self.dict, bound.at(0));
  if (found) return *found;
  return bound.has(1) ? bound.at(1) : Value{};
}

Value keys_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("keys", arguments, {});
  return in.heap().sequence(SequenceType::keys, in.elements(self));
}

Value values_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("values", arguments, {});
  std::vector<Value> values;
  for (const auto& entry : self.dict->entries) values.push_back(entry.second);
  return in.heap().sequence(SequenceType::values, std::move(values));
}

Value items_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("items", arguments, {});
  return in.heap().sequence(SequenceType::items, dict_items(in.heap(), *self.dict));
}

Value copy_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("copy", arguments, {});
  if (self.is(Kind::dict)) return in.heap().dict(self.dict->entries);
  return in.heap().list(self.sequence->elements);
}

Value count_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {"value"}, 1);
  const std::vector<Value>& elements = self.sequence->elements;
  return Value::of(static_cast<std::int64_t>(
      std::count_if(elements.begin(), elements.end(),
                    [&](const Value& element) { return equal(in.heap(), element, bound.at(0)); })));
}

Value index_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("index", arguments, {"value", "start", "stop"}, 1);
  const std::vector<Value>& elements = self.sequence->elements;
  const auto size = static_cast<std::int64_t>(elements.size());
  const auto clamp = [size](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const std::int64_t stop = clamp(bound.integer(2, size));
  for (std::int64_t i = clamp(bound.integer(1, 0)); i < stop; ++i) {
    if (equal(in.heap(), elements[static_cast<std::size_t>(i)], bound.at(0))) return Value::of(i);
  }
  throw Fault{"value is not in list"};
}

template <std::size_t N>
Function find(const std::array<NamedFunction, N>& table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const NamedFunction& row) { return row.name == name; });
  return found == table.end() ? nullptr : found->function;
}

}  // namespace

std::vector<Value> dict_items(Heap& heap, const Dict& dict) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict.entries) items.push_back(heap.tuple({key, value}));
  return items;
}

Function find_dict_method(std::string_view name) {
  static constexpr std::array<NamedFunction, 5> kMethods = {{{"get", get_method},
                                                             {"keys", keys_method},
                                                             {"values", values_method},
                                                             {"items", items_method},
                                                             {"copy", copy_method}}};
  return find(kMethods, name);
}

Function find_sequence_method(std::string_view name) {
  static constexpr std::array<NamedFunction, 3> kMethods = {
      {{"count", count_method}, {"index", index_method}, {"copy", copy_method}}};
  return find(kMethods, name);
}

}  // namespace plumb::jinja
