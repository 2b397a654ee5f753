#include <algorithm>

#include "core/io/field_values.h"
#include "core/io/recipe_io.h"

namespace plumb {
namespace {

constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kWidestCommentColumn = 44;

enum class Comments { none, help };

std::string comment_of(const Field& field) {
  const std::string rule = describe_rule(field.rule);
  if (rule.empty()) return field.help;
  return field.help + (field.help.empty() ? "" : " ") + "(" + rule + ")";
}

std::string wrapped_comment(const std::string& text, const std::string& indent) {
  std::string out;
  std::string line;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t space = std::min(text.find_first_of(" \n", at), text.size());
    const std::string word = text.substr(at, space - at);
    if (!line.empty() && indent.size() + 3 + line.size() + word.size() > kLineWidth) {
      out += indent + "# " + line + "\n";
      line.clear();
    }
    if (!word.empty()) line += (line.empty() ? "" : " ") + word;
    at = space + 1;
  }
  return line.empty() ? out : out + indent + "# " + line + "\n";
}

std::string line_of(const Field& field) {
  return field.name + ": " + format_value(std::get<FieldTarget>(field.value));
}

// Comments of neighbouring lines begin in one column, unless a value is very long.
std::size_t comment_column(const std::vector<Field>& fields, const std::string& indent) {
  std::size_t widest = 0;
  for (const Field& field : fields) {
    if (!std::holds_alternative<FieldTarget>(field.value)) continue;
    const std::size_t width = indent.size() + line_of(field).size();
    if (width <= kWidestCommentColumn) widest = std::max(widest, width);
  }
  return widest + 2;
}

class Writer {
 public:
  explicit Writer(Comments comments) : comments_(comments) {}

  std::string write(const std::vector<Field>& fields, const std::string& indent) const {
    if (fields.empty()) return indent + "{}\n";
    const std::size_t column = comment_column(fields, indent);
    std::string out;
    for (const Field& field : fields) {
      if (std::holds_alternative<FieldTarget>(field.value)) {
        out += write_leaf(field, indent, column);
      } else if (const auto* group = std::get_if<std::vector<Field>>(&field.value)) {
        out += heading(field, indent) + indent + field.name + ":\n" + write(*group, indent + "  ");
      } else {
        out += write_groups(field, std::get<GroupListField>(field.value), indent);
      }
    }
    return out;
  }

 private:
  std::string heading(const Field& field, const std::string& indent) const {
    if (comments_ == Comments::none) return "";
    const std::string blank = indent.empty() ? "\n" : "";
    return blank + wrapped_comment(comment_of(field), indent);
  }

  std::string write_leaf(const Field& field, const std::string& indent, std::size_t column) const {
    const std::string line = indent + line_of(field);
    const std::string comment = comment_of(field);
    if (comments_ == Comments::none || comment.empty()) return line + "\n";
    const bool fits = line.size() + 2 <= column && column + 2 + comment.size() <= kLineWidth &&
                      comment.find('\n') == std::string::npos;
    if (!fits) return wrapped_comment(comment, indent) + line + "\n";
    return line + std::string(column - line.size(), ' ') + "# " + comment + "\n";
  }

  std::string write_groups(const Field& field, const GroupListField& groups,
                           const std::string& indent) const {
    std::string out = heading(field, indent) + indent + field.name + ":";
    if (groups.size() == 0) return out + " []\n" + example_entry(groups, indent);
    out += "\n";
    for (std::size_t i = 0; i < groups.size(); ++i) out += write_entry(groups, i, indent + "  ");
    return out;
  }

  // "- " stands in the place of the indent of the entry's first key.
  std::string write_entry(const GroupListField& groups, std::size_t i,
                          const std::string& indent) const {
    std::string entry = write(groups.element(i).fields, indent + "  ");
    std::size_t at = 0;
    while (entry.compare(at, indent.size() + 3, indent + "  #") == 0) at = entry.find('\n', at) + 1;
    entry[at + indent.size()] = '-';
    return entry;
  }

  std::string example_entry(const GroupListField& groups, const std::string& indent) const {
    if (comments_ == Comments::none) return "";
    groups.resize(1);
    const std::string entry = write_entry(groups, 0, "");
    groups.resize(0);
    std::string out = indent + "# An entry looks like this:\n";
    for (std::size_t at = 0; at < entry.size();) {
      const std::size_t end = entry.find('\n', at);
      out += indent + "#   " + entry.substr(at, end - at) + "\n";
      at = end + 1;
    }
    return out;
  }

  Comments comments_;
};

struct HelpLine {
  std::string key;
  std::string value;
  std::string text;
};

void collect_help(const std::vector<Field>& fields, const std::string& prefix,
                  std::vector<HelpLine>& lines) {
  for (const Field& field : fields) {
    const std::string key = prefix + field.name;
    if (const auto* leaf = std::get_if<FieldTarget>(&field.value)) {
      lines.push_back({key, format_value(*leaf), comment_of(field)});
    } else if (const auto* group = std::get_if<std::vector<Field>>(&field.value)) {
      collect_help(*group, key + ".", lines);
    } else {
      const auto& groups = std::get<GroupListField>(field.value);
      lines.push_back({key, "[]", comment_of(field)});
      const std::size_t before = groups.size();
      if (before == 0) groups.resize(1);
      collect_help(groups.element(0).fields, key + ".N.", lines);
      if (before == 0) groups.resize(0);
    }
  }
}

}  // namespace

std::string resolved_yaml(FieldList fields) {
  return Writer(Comments::none).write(fields.fields, "");
}

std::string commented_yaml(FieldList fields) {
  std::string text = Writer(Comments::help).write(fields.fields, "");
  if (!text.empty() && text[0] == '\n') text.erase(0, 1);
  return text;
}

std::string fields_help(FieldList fields) {
  std::vector<HelpLine> lines;
  collect_help(fields.fields, "", lines);
  std::size_t key_width = 0;
  std::size_t value_width = 0;
  constexpr std::size_t kWidestValue = 20;
  for (const HelpLine& line : lines) {
    key_width = std::max(key_width, line.key.size());
    if (line.value.size() <= kWidestValue) value_width = std::max(value_width, line.value.size());
  }
  std::string out;
  for (const HelpLine& line : lines) {
    const std::size_t pad = value_width - std::min(value_width, line.value.size());
    out += line.key + std::string(key_width - line.key.size() + 2, ' ') + line.value +
           std::string(pad + 2, ' ') + line.text + "\n";
  }
  return out;
}

}  // namespace plumb
