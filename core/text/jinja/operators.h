// Python's operators.
#pragma once
#include <optional>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

// All throw Fault where Python raises.
Value apply_unary(Operator op, const Value& value);
Value apply_binary(Interpreter& interpreter, Operator op, const Value& left, const Value& right);
bool apply_compare(Interpreter& interpreter, Operator op, const Value& left, const Value& right);

bool equal(Heap& heap, const Value& left, const Value& right, int depth = 0);
bool less(Heap& heap, const Value& left, const Value& right, int depth = 0);
bool contains(Interpreter& interpreter, const Value& container, const Value& value);
void check_hashable(const Value& key, int depth = 0);  // Fault for a list or a dict
const Value* find_item(Heap& heap, const Dict& dict, const Value& key);
void set_item(Heap& heap, Dict& dict, const Value& key, const Value& value);

std::vector<Value> dict_items(Heap& heap, const Dict& dict);  // (key, value) each

// object[start:stop:step]; None where a bound is left out.
Value slice(Heap& heap, const Value& object, const Value& start, const Value& stop,
            const Value& step);
std::optional<std::int64_t> length_of(const Value& value);  // nothing where len() raises

// `format % values`.
Value format_percent(Interpreter& interpreter, const TracedText& format, const Value& values);

}  // namespace plumb::jinja
