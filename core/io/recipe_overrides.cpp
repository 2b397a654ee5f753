#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/io/recipe_io.h"
#include "core/io/recipe_tree.h"
#include "core/io/utf8.h"
#include "core/io/yaml_tree.h"

namespace plumb {
namespace {

std::vector<std::string> split_dots(const std::string& key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool holds_text(const Field& field) {
  const auto* leaf = std::get_if<FieldTarget>(&field.value);
  return leaf != nullptr && (std::holds_alternative<std::string*>(*leaf) ||
                             std::holds_alternative<std::optional<std::string>*>(*leaf));
}

// A string is taken as it came from the shell, whatever YAML would make of ':' or '#' in it; only
// one that is quoted itself, or null, is read as YAML.
YamlNode value_node(const std::string& text, const Field& field, const std::string& source) {
  const bool is_quoted =
      text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0];
  YamlNode node;
  if (!holds_text(field) && text.empty()) return node;
  if (!holds_text(field) || is_quoted) return parse_yaml(text, source);
  node.text = text;
  node.is_quoted = text.empty() || !reads_as_null(text);
  return node;
}

void clear_lines(YamlNode& node) {
  node.line = 0;
  std::fill(node.key_lines.begin(), node.key_lines.end(), 0);
  for (YamlNode& item : node.items) clear_lines(item);
}

struct Override {
  std::string key;
  std::string value;
  std::string source;  // for errors
};

Override split(const std::string& key_value) {
  const std::size_t equals = key_value.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error("'" + key_value + "': an override is key=value, such as train.steps=200",
                Exit::usage);
  }
  const bool holds_nul = key_value.find('\0') != std::string::npos;
  if (holds_nul || find_invalid_utf8(key_value) != std::string_view::npos) {
    throw Error("override '" + key_value.substr(0, equals) + "': not valid UTF-8", Exit::usage);
  }
  const std::string key = key_value.substr(0, equals);
  return {key, key_value.substr(equals + 1), "override '" + key_value + "'"};
}

std::size_t list_index(const std::string& part, std::size_t size, const Override& given) {
  std::size_t index = 0;
  const char* end = part.data() + part.size();
  const auto read = std::from_chars(part.data(), end, index);
  if (read.ec != std::errc{} || read.ptr != end || index >= size) {
    throw Error(given.source + ": '" + part + "' is no entry of the list; it holds " +
                    std::to_string(size) + ", counted from 0",
                Exit::usage);
  }
  return index;
}

void apply_override(const Override& given, const std::vector<Field>& root) {
  const RecipeReader reader(given.source, root);
  const std::vector<std::string> parts = split_dots(given.key);
  std::vector<Field> fields = root;
  std::string prefix;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& field) { return field.name == parts[i]; });
    if (found == fields.end()) reader.unknown_key(parts[i], prefix, fields, given.source);
    const Field field = *found;
    prefix += (prefix.empty() ? "" : ".") + parts[i];
    if (i + 1 == parts.size()) {
      YamlNode value = value_node(given.value, field, given.source);
      clear_lines(value);
      return reader.read_field(value, field, prefix);
    }
    if (const auto* group = std::get_if<std::vector<Field>>(&field.value)) {
      fields = *group;
    } else if (const auto* groups = std::get_if<GroupListField>(&field.value)) {
      const std::size_t index = list_index(parts[++i], groups->size(), given);
      prefix += "." + parts[i];
      if (i + 1 == parts.size()) {
        throw Error(given.source + ": " + prefix + " is a group; name a key in it", Exit::usage);
      }
      fields = groups->element(index).fields;
    } else {
      throw Error(given.source + ": " + prefix + " is a value and has no keys", Exit::usage);
    }
  }
}

}  // namespace

void apply_overrides(const std::vector<std::string>& key_values, FieldList fields) {
  for (const std::string& key_value : key_values) apply_override(split(key_value), fields.fields);
}

}  // namespace plumb
