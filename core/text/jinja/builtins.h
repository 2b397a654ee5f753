// Filters, tests, globals and methods by name.
#pragma once
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

// Null when there is none.
Function find_filter(std::string_view name);
Function find_test(std::string_view name);
Function find_text_method(std::string_view name);
Function find_dict_method(std::string_view name);
Function find_sequence_method(std::string_view name);  // of lists and tuples
std::vector<std::pair<std::string_view, Function>> global_functions();

struct NamedFunction {
  std::string_view name;
  Function function;
};

// Arguments of a call under their parameters' names. Throws Fault as Python's TypeError on too
// many, unknown or doubled ones, and on fewer than `required`.
class Bound {
 public:
  Bound(const char* function, Arguments& arguments, std::initializer_list<const char*> names,
        std::size_t required = 0);
  const Value* find(std::size_t index) const { return values_[index] ? &*values_[index] : nullptr; }
  const Value& at(std::size_t index) const { return *values_[index]; }
  bool has(std::size_t index) const { return values_[index].has_value(); }
  std::int64_t integer(std::size_t index, std::int64_t fallback) const;
  bool truth(std::size_t index, bool fallback) const;
  // A string; Fault for another type. With a fallback, also when it is not given or None.
  const TracedText& text(std::size_t index) const;

 private:
  const char* function_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace plumb::jinja
