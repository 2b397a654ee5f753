// One leaf field: from a YAML value, with type and rule checked, and back to text.
#pragma once
#include <string>

#include "core/io/recipe_io.h"
#include "core/io/yaml_tree.h"

namespace plumb {

// Where a value came from, for errors: "recipe.yaml:12: train.steps: ".
struct FieldPlace {
  std::string source;  // a file with its line, or an override
  std::string key;     // dotted

  [[noreturn]] void fail(const std::string& problem) const;  // Exit::usage
};

void assign_field(const YamlNode& value, const Rule& rule, const FieldTarget& target,
                  const FieldPlace& place);

// The value as YAML that reads back to the same bits: null, true, 3, 1e-05, word, "quoted\n",
// [a, b].
std::string format_value(const FieldTarget& target);
std::string quote_if_needed(const std::string& text);

// Whether the field holds nothing: an empty string or list, an optional that is not set.
bool is_empty_value(const FieldTarget& target);

// "at least 0", "one of: cosine, linear", "required"; empty when there is no rule.
std::string describe_rule(const Rule& rule);

}  // namespace plumb
