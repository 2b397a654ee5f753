// Walks a YAML tree and a list of fields together. Shared by recipe files and overrides.
#pragma once
#include <string>
#include <vector>

#include "core/io/nearest_key.h"
#include "core/io/recipe_io.h"
#include "core/io/yaml_tree.h"

namespace plumb {

class RecipeReader {
 public:
  // `root`: all fields, to say where a misplaced key belongs. Both must outlive the reader.
  RecipeReader(const std::string& source, const std::vector<Field>& root)
      : source_(source), root_(root) {}

  void read_map(const YamlNode& map, const std::vector<Field>& fields,
                const std::string& prefix) const;
  void read_field(const YamlNode& value, const Field& field, const std::string& key) const;

  [[noreturn]] void unknown_key(const std::string& name, const std::string& prefix,
                                const std::vector<Field>& siblings, const std::string& where) const;

 private:
  void read_list(const YamlNode& list, const GroupListField& groups, const std::string& key) const;
  std::string where(const YamlNode& node) const;

  const std::string& source_;
  const std::vector<Field>& root_;
};

}  // namespace plumb
