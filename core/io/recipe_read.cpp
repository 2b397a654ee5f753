#include <algorithm>

#include "core/error.h"
#include "core/io/field_values.h"
#include "core/io/files.h"
#include "core/io/recipe_io.h"
#include "core/io/recipe_tree.h"
#include "core/io/yaml_tree.h"

namespace plumb {
namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

void collect_leaves(const std::vector<Field>& fields, const std::string& prefix,
                    std::vector<std::string>& keys) {
  for (const Field& field : fields) {
    const std::string key = join(prefix, field.name);
    if (const auto* group = std::get_if<std::vector<Field>>(&field.value)) {
      collect_leaves(*group, key, keys);
    } else {
      keys.push_back(key);
    }
  }
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string last_part(const std::string& key) {
  const std::size_t dot = key.rfind('.');
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

// A field of that very name in some other group: the usual slip is the wrong level.
std::optional<std::string> same_name_elsewhere(const std::string& name,
                                               const std::vector<std::string>& leaves) {
  const auto found = std::find_if(leaves.begin(), leaves.end(), [&](const std::string& leaf) {
    return last_part(leaf) == last_part(name);
  });
  if (found == leaves.end()) return std::nullopt;
  return *found;
}

}  // namespace

void RecipeReader::unknown_key(const std::string& name, const std::string& prefix,
                               const std::vector<Field>& siblings, const std::string& where) const {
  std::vector<std::string> leaves;
  collect_leaves(root_, "", leaves);
  std::optional<std::string> meant = nearest_key(name, names_of(siblings));
  if (meant) meant = join(prefix, *meant);
  if (const auto elsewhere = same_name_elsewhere(name, leaves)) meant = elsewhere;
  if (!meant) meant = nearest_key(join(prefix, name), leaves);
  std::string message = where + ": unknown key '" + join(prefix, name) + "'";
  if (meant) {
    message += "; did you mean '" + *meant + "'?";
  } else {
    message += "; known here:";
    for (const Field& field : siblings) message += " " + field.name;
  }
  throw Error(message, Exit::usage);
}

std::string RecipeReader::where(const YamlNode& node) const {
  return node.line > 0 ? source_ + ":" + std::to_string(node.line) : source_;
}

void RecipeReader::read_map(const YamlNode& map, const std::vector<Field>& fields,
                            const std::string& prefix) const {
  if (map.is_null()) return;  // "train:" with all its lines commented out
  const std::string name = prefix.empty() ? "a recipe" : prefix;
  if (map.kind != YamlNode::Kind::map) {
    throw Error(where(map) + ": " + name + " must be a map of keys and values", Exit::usage);
  }
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    const std::string& key = map.keys[i];
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& known) { return known.name == key; });
    if (field == fields.end()) {
      YamlNode at;
      at.line = map.key_lines[i];
      unknown_key(key, prefix, fields, where(at));
    }
    read_field(map.items[i], *field, join(prefix, key));
  }
}

void RecipeReader::read_field(const YamlNode& value, const Field& field,
                              const std::string& key) const {
  if (const auto* leaf = std::get_if<FieldTarget>(&field.value)) {
    assign_field(value, field.rule, *leaf, {where(value), key});
  } else if (const auto* group = std::get_if<std::vector<Field>>(&field.value)) {
    read_map(value, *group, key);
  } else {
    read_list(value, std::get<GroupListField>(field.value), key);
  }
}

void RecipeReader::read_list(const YamlNode& list, const GroupListField& groups,
                             const std::string& key) const {
  if (list.kind != YamlNode::Kind::list) {
    throw Error(where(list) + ": " + key + " must be a list of maps ('- name: value')",
                Exit::usage);
  }
  groups.resize(0);  // what is given replaces what was there
  groups.resize(list.items.size());
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    read_map(list.items[i], groups.element(i).fields, key + "." + std::to_string(i));
  }
}

void read_recipe_text(const std::string& yaml, const std::string& source, FieldList fields) {
  const RecipeReader reader(source, fields.fields);
  reader.read_map(parse_yaml(yaml, source), fields.fields, "");
}

void read_recipe(const std::string& path, FieldList fields) {
  read_recipe_text(files::read_file(path, YamlLimits{}.max_bytes), path, std::move(fields));
}

namespace {

void check_required_in(const std::vector<Field>& fields, const std::string& prefix,
                       const std::string& source) {
  for (const Field& field : fields) {
    const std::string key = join(prefix, field.name);
    if (const auto* leaf = std::get_if<FieldTarget>(&field.value)) {
      if (field.rule.required && is_empty_value(*leaf)) {
        throw Error(source + ": " + key + " must be given (" + field.help +
                        "): write it there or add " + key + "=... to the command",
                    Exit::usage);
      }
    } else if (const auto* group = std::get_if<std::vector<Field>>(&field.value)) {
      check_required_in(*group, key, source);
    } else {
      const auto& groups = std::get<GroupListField>(field.value);
      if (field.rule.required && groups.size() == 0) {
        throw Error(source + ": " + key + " must hold at least one entry (" + field.help + ")",
                    Exit::usage);
      }
      for (std::size_t i = 0; i < groups.size(); ++i) {
        check_required_in(groups.element(i).fields, key + "." + std::to_string(i), source);
      }
    }
  }
}

}  // namespace

void check_required(FieldList fields, const std::string& source) {
  check_required_in(fields.fields, "", source);
}

}  // namespace plumb
