// YAML as recipes use it: maps, lists and scalars with their lines. Anchors, aliases, tags, merge
// keys, duplicate keys, several documents and deep nesting are refused while reading, so nothing
// ever expands.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

struct YamlNode {
  enum class Kind { scalar, list, map };

  Kind kind = Kind::scalar;
  int line = 0;                   // 1-based
  std::string text;               // of a scalar
  bool is_quoted = false;         // a quoted or block scalar: always a string
  std::vector<YamlNode> items;    // of a list; the values of a map
  std::vector<std::string> keys;  // of a map, beside items
  std::vector<int> key_lines;

  // A plain scalar that stands for nothing: null, ~ or an empty value.
  bool is_null() const;
};

struct YamlLimits {
  std::size_t max_bytes = std::size_t{1} << 20;
  int max_depth = 32;
};

// Throws Error (Exit::usage) beginning with "source:line: ". Empty text is an empty map.
YamlNode parse_yaml(const std::string& text, const std::string& source,
                    const YamlLimits& limits = {});

// Whether a plain scalar of this text would be read as null, a bool or a number somewhere.
bool reads_as_null(std::string_view text);
bool reads_as_bool(std::string_view text);

}  // namespace plumb
