#include <algorithm>

#include "core/text/jinja/builtins.h"

namespace plumb::jinja {

Bound::Bound(const char* function, Arguments& arguments, std::initializer_list<const char*> names,
             std::size_t required)
    : function_(function), values_(names.size()) {
  const auto fail = [&](const std::string& rule) {
    throw Fault{std::string(function) + "() " + rule};
  };
  if (arguments.values.size() > names.size()) {
    fail("takes at most " + std::to_string(names.size()) + " arguments (" +
         std::to_string(arguments.values.size()) + " given)");
  }
  for (std::size_t i = 0; i < arguments.values.size(); ++i) values_[i] = arguments.values[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&name = name](const char* known) { return name == known; });
    if (found == names.end()) {
      fail("got an unexpected keyword argument '" + std::string(name) + "'");
    }
    auto& slot = values_[static_cast<std::size_t>(found - names.begin())];
    if (slot) fail("got multiple values for argument '" + std::string(name) + "'");
    slot = value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!values_[i]) fail(std::string("missing the argument '") + names.begin()[i] + "'");
  }
}

std::int64_t Bound::integer(std::size_t index, std::int64_t fallback) const {
  const Value* value = find(index);
  if (!value) return fallback;
  if (value->is_undefined()) throw Fault{value->undefined->message};
  if (!value->is_integral()) {
    throw Fault{std::string(function_) + "(): '" + type_name(*value) +
                "' object cannot be interpreted as an integer"};
  }
  return value->to_integer();
}

bool Bound::truth(std::size_t index, bool fallback) const {
  const Value* value = find(index);
  return value ? is_true(*value) : fallback;
}

const TracedText& Bound::text(std::size_t index) const {
  const Value* value = find(index);
  if (value && value->is_undefined()) throw Fault{value->undefined->message};
  if (!value || !value->is_string()) {
    throw Fault{std::string(function_) + "() argument must be str, not " +
                (value ? type_name(*value) : "missing")};
  }
  return *value->string;
}

}  // namespace plumb::jinja
