// Values as text: str(), repr() and json.dumps().
#pragma once
#include <string>

#include "core/text/jinja/heap.h"

namespace plumb::jinja {

void print_value(Heap& heap, const Value& value, TextBuilder& out);  // str(value)
void print_repr(Heap& heap, const Value& value, TextBuilder& out, int depth = 0);
Value to_text(Heap& heap, const Value& value);  // str(value)
std::string real_text(double value);            // repr(float)

struct JsonStyle {
  bool is_ascii = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sorts_keys = false;
};
void print_json(Heap& heap, const Value& value, const JsonStyle& style, TextBuilder& out,
                int depth = 0);

}  // namespace plumb::jinja
