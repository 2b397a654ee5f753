// What a template can call, and what its names mean at one place.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/value.h"

namespace plumb::jinja {

class Interpreter;
struct Statement;

struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string_view, Value>> named;
};

// The variables of a loop's body, a macro, a block; names are interned by the parser.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<const std::string*, Value>> variables;

  void set(const std::string* name, const Value& value) {
    for (auto& [known, old] : variables) {
      if (known == name) {
        old = value;
        return;
      }
    }
    variables.emplace_back(name, value);
  }
};

using Function = Value (*)(Interpreter&, const Value& self, Arguments&);

struct Callable {
  std::string name;
  Function function = nullptr;       // of a global, or a method bound to `self`
  const Statement* macro = nullptr;  // otherwise
  Scope* scope = nullptr;            // where the macro was defined
  Value self;                        // method: its object; cycler and joiner: their items
  std::size_t state = 0;             // cycler, joiner
  const char* type = "builtin_function_or_method";
};

// The elements of a for loop, read one by one, as its filter may depend on what its body did.
struct LoopSource {
  std::vector<Value> elements;
  std::size_t next = 0;
  const Statement* filter = nullptr;  // the for statement, when it has an `if`
  Scope* scope = nullptr;             // that the filter sees
};

struct Loop {
  LoopSource source;
  std::int64_t index0 = -1;
  std::int64_t depth0 = 0;
  std::optional<Value> before, current, after;  // after: read ahead
  std::optional<std::int64_t> length;
  std::optional<std::vector<Value>> last_changed;
  const Statement* recursive = nullptr;  // the for statement
  Scope* outer = nullptr;                // where it stands
};

}  // namespace plumb::jinja
