// Text laid out: str.format, the % operator, padding.
#pragma once
#include <string>
#include <string_view>

#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

Value format_method(Interpreter& interpreter, const Value& self, Arguments& arguments);
Value format_map_method(Interpreter& interpreter, const Value& self, Arguments& arguments);
// To `width` characters; align is '<', '>' or '^' as in a format, or 'c' as str.center has it.
Value pad_text(Heap& heap, const TracedText& text, std::int64_t width, const std::string& fill,
               char align);
bool is_all_case(std::string_view text, bool wants_upper);  // str.isupper, str.islower

}  // namespace plumb::jinja
