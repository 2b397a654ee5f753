// Recipes: YAML and `key=value` in, resolved YAML, commented YAML and help out, all from fields().
// Unknown, duplicate or wrongly typed keys are errors with file, line, dotted key and the nearest
// known key; anchors, aliases and tags are refused. Implemented on a type-erased view of the fields
// so that the templates stay thin: FieldList::of(group) lists pointers, names, help and rules.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/io/fields.h"

namespace plumb {

struct FieldList;

// A std::vector of groups: it can be resized, and each element lists its own fields.
struct GroupListField {
  std::function<std::size_t()> size;
  std::function<void(std::size_t)> resize;
  std::function<FieldList(std::size_t)> element;
};

using FieldTarget =
    std::variant<bool*, std::int64_t*, double*, std::string*, std::optional<std::int64_t>*,
                 std::optional<double>*, std::optional<std::string>*, std::vector<std::string>*,
                 std::vector<double>*, std::vector<std::int64_t>*>;

struct Field {
  std::string name;
  std::string help;
  Rule rule;
  std::variant<FieldTarget, std::vector<Field>, GroupListField>
      value;  // leaf, nested group, list of groups
};

struct FieldList {
  std::vector<Field> fields;

  template <class Group>
  static FieldList of(Group& group);  // pointers into `group`, which must outlive the list
};

void read_recipe(const std::string& path, FieldList fields);
void read_recipe_text(const std::string& yaml, const std::string& source, FieldList fields);
void apply_overrides(const std::vector<std::string>& key_values,
                     FieldList fields);  // "train.steps=200"
void check_required(FieldList fields, const std::string& source);

std::string resolved_yaml(
    FieldList fields);  // every field with its value; reads back to the same struct
std::string commented_yaml(FieldList fields);  // the same with each field's help as a comment
std::string fields_help(FieldList fields);     // a line a field: dotted key, default, effect, rule

// ---- from fields() to FieldList ----
namespace detail {

struct Collector {
  std::vector<Field> fields;
  template <class T>
  void operator()(const char* name, T& member, const char* help, Rule rule = {});
};

template <class T>
constexpr bool is_leaf = std::is_constructible_v<FieldTarget, T*>;

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

template <class T>
void Collector::operator()(const char* name, T& member, const char* help, Rule rule) {
  Field field{name, help, std::move(rule), {}};
  if constexpr (is_leaf<T>) {
    field.value = FieldTarget(&member);
  } else if constexpr (is_vector<T>::value) {
    field.value = GroupListField{[&member] { return member.size(); },
                                 [&member](std::size_t n) { member.resize(n); },
                                 [&member](std::size_t i) { return FieldList::of(member.at(i)); }};
  } else {
    Collector nested;
    member.fields(nested);
    field.value = std::move(nested.fields);
  }
  fields.push_back(std::move(field));
}

}  // namespace detail

template <class Group>
FieldList FieldList::of(Group& group) {
  detail::Collector collector;
  group.fields(collector);
  return {std::move(collector.fields)};
}

}  // namespace plumb
