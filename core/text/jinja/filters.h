// Tables of filters, a file each.
#pragma once
#include <span>

#include "core/text/jinja/builtins.h"

namespace plumb::jinja {

std::span<const NamedFunction> text_filters();
std::span<const NamedFunction> sequence_filters();
std::span<const NamedFunction> choice_filters();
std::span<const NamedFunction> value_filters();

// The value that "a.b.0" reaches in `item`; `fallback` for what is undefined on the way.
class AttributeGetter {
 public:
  AttributeGetter(Interpreter& interpreter, const Value* attribute, const Value* fallback = nullptr,
                  bool ignores_case = false);
  Value operator()(const Value& item) const;

 private:
  Interpreter& interpreter_;
  std::vector<Value> parts_;
  const Value* fallback_;
  bool ignores_case_;
};

Value without_case(Heap& heap, const Value& value);  // lower case, of a string

}  // namespace plumb::jinja
