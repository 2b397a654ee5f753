#include "recipes/cli/flags.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>

#include "core/error.h"
#include "core/io/field_values.h"
#include "core/io/nearest_key.h"

namespace plumb {
namespace {

namespace po = boost::program_options;

std::vector<Field> leaves(const std::vector<Field>& fields) {
  std::vector<Field> flat;
  for (const Field& field : fields) {
    if (const auto* nested = std::get_if<std::vector<Field>>(&field.value)) {
      const auto inner = leaves(*nested);
      flat.insert(flat.end(), inner.begin(), inner.end());
    } else {
      flat.push_back(field);
    }
  }
  return flat;
}

std::string flag_name(const Field& field) {
  std::string name = field.name;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

const FieldTarget& target_of(const Field& field) {
  return std::get<FieldTarget>(field.value);
}

template <class T>
bool holds(const Field& field) {
  return std::holds_alternative<T*>(target_of(field));
}

YamlNode scalar(const std::string& text, bool is_string) {
  YamlNode node;
  node.text = text;
  node.is_quoted = is_string;
  return node;
}

// A flag's words as the YAML value that the field would have in a recipe.
YamlNode to_node(const Field& field, const std::vector<std::string>& words) {
  const bool is_string = holds<std::string>(field) || holds<std::optional<std::string>>(field);
  const bool is_list = holds<std::vector<std::string>>(field) ||
                       holds<std::vector<double>>(field) || holds<std::vector<int64_t>>(field);
  if (!is_list) return scalar(words.back(), is_string);
  YamlNode list;
  list.kind = YamlNode::Kind::list;
  for (const auto& word : words)
    list.items.push_back(scalar(word, holds<std::vector<std::string>>(field)));
  return list;
}

po::options_description describe(const std::vector<Field>& flags) {
  po::options_description described;
  for (const Field& field : flags) {
    auto* value = po::value<std::vector<std::string>>()->composing();
    if (holds<bool>(field)) value->zero_tokens()->implicit_value({"true"}, "");
    described.add_options()(flag_name(field).c_str(), value, field.help.c_str());
  }
  return described;
}

[[noreturn]] void refuse_unknown(const std::string& given, const std::vector<Field>& flags) {
  std::vector<std::string> known;
  for (const Field& field : flags) known.push_back("--" + flag_name(field));
  std::string message = given + ": no such flag";
  if (const auto near = nearest_key(given, known)) message += "; did you mean " + *near + "?";
  throw Error(message, Exit::usage);
}

}  // namespace

std::vector<std::string> parse_flags(const std::vector<std::string>& arguments,
                                     const FieldList& fields) {
  const auto flags = leaves(fields.fields);
  const auto described = describe(flags);
  // No abbreviations: a flag that a later version adds must not change what a script means.
  namespace style = po::command_line_style;
  const int rules = style::allow_long | style::long_allow_next | style::long_allow_adjacent;
  std::vector<std::string> positional;
  try {
    const auto parsed = po::command_line_parser(arguments)
                            .options(described)
                            .style(rules)
                            .allow_unregistered()
                            .run();
    // A list's words may come from many occurrences of its flag.
    std::map<std::string, std::vector<std::string>> given;
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0 || option.string_key.empty()) {
        positional.insert(positional.end(), option.value.begin(), option.value.end());
        continue;
      }
      if (option.unregistered) refuse_unknown("--" + option.string_key, flags);
      auto& words = given[option.string_key];
      words.insert(words.end(), option.value.begin(), option.value.end());
    }
    for (const Field& field : flags) {
      const auto found = given.find(flag_name(field));
      if (found == given.end()) continue;
      const auto words = found->second.empty() ? std::vector<std::string>{"true"} : found->second;
      assign_field(to_node(field, words), field.rule, target_of(field),
                   {"command line", "--" + found->first});
    }
  } catch (const po::error& error) {
    throw Error(std::string("command line: ") + error.what(), Exit::usage);
  }
  return positional;
}

std::string flags_help(const FieldList& fields) {
  std::string text;
  for (const Field& field : leaves(fields.fields)) {
    std::string line = "  --" + flag_name(field);
    if (!holds<bool>(field))
      line += " " + std::string(holds<std::string>(field) ? "TEXT" : "VALUE");
    line.resize(std::max<std::size_t>(line.size() + 2, 32), ' ');
    line += field.help;
    if (!holds<bool>(field) && !is_empty_value(target_of(field)))
      line += " (" + format_value(target_of(field)) + ")";
    text += line + "\n";
  }
  return text;
}

}  // namespace plumb
