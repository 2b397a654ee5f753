// Comparison, membership, lookup.
#include <string.h>

#include <algorithm>
#include <cmath>

#include "core/text/jinja/operators.h"

namespace plumb::jinja {

namespace {

bool equal_elements(Heap& heap, const std::vector<Value>& left, const std::vector<Value>& right,
                    int depth) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!equal(heap, left[i], right[i], depth)) return false;
  }
  return true;
}

bool equal_dicts(Heap& heap, const Dict& left, const Dict& right, int depth) {
  if (left.entries.size() != right.entries.size()) return false;
  for (const auto& [key, value] : left.entries) {
    const Value* other = find_item(heap, right, key);
    if (!other || !equal(heap, value, *other, depth)) return false;
  }
  return true;
}

bool equal_sequences(Heap& heap, const Value& left, const Value& right, int depth) {
  if (left.sequence == right.sequence) return true;
  const bool is_comparable =
      left.sequence->type != SequenceType::generator && left.sequence->type != SequenceType::values;
  return is_comparable && left.sequence->type == right.sequence->type &&
         equal_elements(heap, left.sequence->elements, right.sequence->elements, depth);
}

bool less_numbers(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return left.to_integer() < right.to_integer();
  return static_cast<long double>(left.is(Kind::real) ? left.real : 0) +
             static_cast<long double>(left.is(Kind::real) ? 0 : left.to_integer()) <
         static_cast<long double>(right.is(Kind::real) ? right.real : 0) +
             static_cast<long double>(right.is(Kind::real) ? 0 : right.to_integer());
}

bool equal_numbers(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return left.to_integer() == right.to_integer();
  return !less_numbers(left, right) && !less_numbers(right, left) && !std::isnan(left.to_real()) &&
         !std::isnan(right.to_real());
}

[[noreturn]] void fail_order(const char* sign, const Value& left, const Value& right) {
  throw Fault{std::string("'") + sign + "' not supported between instances of '" + type_name(left) +
              "' and '" + type_name(right) + "'"};
}

bool is_ordered_pair(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return true;
  if (left.is_string() && right.is_string()) return true;
  const bool are_sequences = left.is(Kind::sequence) && right.is(Kind::sequence) &&
                             left.sequence->type == right.sequence->type;
  return are_sequences &&
         (left.sequence->type == SequenceType::list || left.sequence->type == SequenceType::tuple);
}

const char* order_sign(Operator op) {
  switch (op) {
    case Operator::less:
      return "<";
    case Operator::less_equal:
      return "<=";
    case Operator::greater:
      return ">";
    default:
      return ">=";
  }
}

bool has_nan(const Value& left, const Value& right) {
  return (left.is(Kind::real) && std::isnan(left.real)) ||
         (right.is(Kind::real) && std::isnan(right.real));
}

bool apply_order(Heap& heap, Operator op, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) throw Fault{value->undefined->message};
  }
  if (!is_ordered_pair(left, right)) fail_order(order_sign(op), left, right);
  if (has_nan(left, right)) return false;
  switch (op) {
    case Operator::less:
      return less(heap, left, right);
    case Operator::less_equal:
      return !less(heap, right, left);
    case Operator::greater:
      return less(heap, right, left);
    default:
      return !less(heap, left, right);
  }
}

}  // namespace

bool equal(Heap& heap, const Value& left, const Value& right, int depth) {
  heap.check_depth(depth);
  heap.step();
  if (left.is_number() && right.is_number()) return equal_numbers(left, right);
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::string:
      heap.charge(left.string->bytes.size() / 16);
      return left.view() == right.view();
    case Kind::sequence:
      return equal_sequences(heap, left, right, depth + 1);
    case Kind::dict:
      return left.dict == right.dict || equal_dicts(heap, *left.dict, *right.dict, depth + 1);
    case Kind::name_space:
      return left.name_space == right.name_space;
    case Kind::callable: {
      const Callable &a = *left.callable, &b = *right.callable;
      return &a == &b || (a.function && a.function == b.function && a.name == b.name &&
                          a.self.kind == b.self.kind && equal(heap, a.self, b.self, depth + 1));
    }
    default:
      return left.loop == right.loop;
  }
}

bool less(Heap& heap, const Value& left, const Value& right, int depth) {
  heap.check_depth(depth);
  heap.step();
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) throw Fault{value->undefined->message};
  }
  if (!is_ordered_pair(left, right)) fail_order("<", left, right);
  if (left.is_number()) return less_numbers(left, right);
  if (left.is_string()) {
    heap.charge(std::min(left.view().size(), right.view().size()) / 16);
    return left.view() < right.view();
  }
  const std::vector<Value>&a = left.sequence->elements, &b = right.sequence->elements;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!equal(heap, a[i], b[i], depth + 1)) return less(heap, a[i], b[i], depth + 1);
  }
  return a.size() < b.size();
}

bool apply_compare(Interpreter& interpreter, Operator op, const Value& left, const Value& right) {
  Heap& heap = interpreter.heap();
  switch (op) {
    case Operator::equal:
      return equal(heap, left, right);
    case Operator::not_equal:
      return !equal(heap, left, right);
    case Operator::in:
      return contains(interpreter, right, left);
    case Operator::not_in:
      return !contains(interpreter, right, left);
    default:
      return apply_order(heap, op, left, right);
  }
}

bool contains(Interpreter& interpreter, const Value& container, const Value& value) {
  Heap& heap = interpreter.heap();
  switch (container.kind) {
    case Kind::string: {
      if (!value.is_string()) {
        throw Fault{"'in <string>' requires string as left operand, not " + type_name(value)};
      }
      heap.charge((container.view().size() + value.view().size()) / 4);
      const std::string_view text = container.view(), part = value.view();
      return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
    }
    case Kind::dict:
      check_hashable(value);
      return find_item(heap, *container.dict, value) != nullptr;
    case Kind::undefined:
      return false;
    case Kind::sequence: {
      Sequence& sequence = *container.sequence;
      const bool is_generator = sequence.type == SequenceType::generator;
      for (std::size_t i = sequence.begin; i < sequence.elements.size(); ++i) {
        if (is_generator) sequence.begin = i + 1;
        if (equal(heap, sequence.elements[i], value)) return true;
      }
      return false;
    }
    default:
      throw Fault{"argument of type '" + type_name(container) + "' is not iterable"};
  }
}

void check_hashable(const Value& key, int depth) {
  const bool is_tuple = key.is(Kind::sequence) && key.sequence->type == SequenceType::tuple;
  const bool is_list = key.is(Kind::sequence) && key.sequence->type == SequenceType::list;
  if (is_list || key.is(Kind::dict) || depth > 16) {
    throw Fault{"unhashable type: '" + type_name(key) + "'"};
  }
  if (!is_tuple) return;
  for (const Value& element : key.sequence->elements) check_hashable(element, depth + 1);
}

const Value* find_item(Heap& heap, const Dict& dict, const Value& key) {
  heap.step(static_cast<std::int64_t>(dict.entries.size() / 16));
  for (const auto& [known, value] : dict.entries) {
    const bool may_match = known.kind == key.kind || (known.is_number() && key.is_number());
    if (!may_match) continue;
    if (key.is_string() ? known.view() == key.view() : equal(heap, known, key)) return &value;
  }
  return nullptr;
}

void set_item(Heap& heap, Dict& dict, const Value& key, const Value& value) {
  check_hashable(key);
  if (const Value* known = find_item(heap, dict, key)) {
    const_cast<Value&>(*known) = value;
    return;
  }
  heap.charge(2 * sizeof(Value));
  dict.entries.emplace_back(key, value);
}

std::optional<std::int64_t> length_of(const Value& value) {
  switch (value.kind) {
    case Kind::undefined:
      return 0;
    case Kind::string:
      return value.string->length;
    case Kind::dict:
      return static_cast<std::int64_t>(value.dict->entries.size());
    case Kind::sequence:
      if (value.sequence->type == SequenceType::generator) return std::nullopt;
      return static_cast<std::int64_t>(value.sequence->elements.size());
    default:
      return std::nullopt;
  }
}

}  // namespace plumb::jinja
