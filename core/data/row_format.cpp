#include <algorithm>
#include <array>

#include "core/data/records.h"
#include "core/data/transcript.h"

namespace plumb {
namespace {

struct NamedFormat {
  RowFormat format;
  const char* name;
};
constexpr std::array<NamedFormat, 6> kFormats{{{RowFormat::text, "text"},
                                               {RowFormat::prompt_completion, "prompt_completion"},
                                               {RowFormat::messages, "messages"},
                                               {RowFormat::instruction, "instruction"},
                                               {RowFormat::preference, "preference"},
                                               {RowFormat::prompt, "prompt"}}};

// The formats that give samples of a kind, the surest first.
std::vector<RowFormat> formats_for(SampleKind kind) {
  using enum RowFormat;
  switch (kind) {
    case SampleKind::text:
      return {text};
    case SampleKind::conversation:
      return {messages, prompt_completion, instruction, preference, text};
    case SampleKind::preference:
      return {preference};
    case SampleKind::prompt:
      return {prompt, messages, preference, instruction, prompt_completion};
  }
  return {};
}

// The columns that a format cannot do without.
std::vector<std::string> needed_columns(RowFormat format, const ColumnOptions& columns) {
  switch (format) {
    case RowFormat::text:
      return {columns.text};
    case RowFormat::prompt_completion:
      return {columns.prompt, columns.completion};
    case RowFormat::messages:
      return {columns.messages};
    case RowFormat::instruction:
      return {"instruction", "output"};
    case RowFormat::preference:
      return {columns.chosen, columns.rejected};
    case RowFormat::prompt:
      return {columns.prompt};
  }
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

bool has_format(const Json& row, RowFormat format, const ColumnOptions& columns) {
  if (format == RowFormat::messages && find_column(row, "conversations") != nullptr) return true;
  const auto needed = needed_columns(format, columns);
  return std::all_of(needed.begin(), needed.end(),
                     [&](const std::string& name) { return find_column(row, name) != nullptr; });
}

template <class Predicate>
bool any_content(const Json& row, const RowPlan& plan, const Predicate& predicate) {
  const ColumnOptions& c = plan.columns;
  std::vector<std::string> names = needed_columns(plan.format, c);
  if (plan.format == RowFormat::preference) names.push_back(c.prompt);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const Json* value = find_column(row, name);
    return value != nullptr && predicate(*value);
  });
}

}  // namespace

std::string row_format_name(RowFormat format) {
  for (const NamedFormat& named : kFormats) {
    if (named.format == format) return named.name;
  }
  return "";
}

const Json* find_column(const Json& row, const std::string& name) {
  if (!row.is_object()) return nullptr;
  if (const auto found = row.find(name); found != row.end()) return &*found;
  const Json* value = &row;
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t dot = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, dot - begin);
    begin = dot + 1;
    const bool is_number = !part.empty() && part.size() < 9 &&
                           part.find_first_not_of("0123456789") == std::string::npos;
    if (value->is_object() && value->contains(part)) {
      value = &(*value)[part];
    } else if (value->is_array() && is_number && std::stoul(part) < value->size()) {
      value = &(*value)[std::stoul(part)];
    } else {
      return nullptr;
    }
  }
  return value;
}

RowFormat choose_row_format(const DataOptions& options, SampleKind kind, const Json& first_row,
                            const std::string& where) {
  const std::vector<RowFormat> possible = formats_for(kind);
  if (options.format != "auto") {
    for (const NamedFormat& named : kFormats) {
      const bool is_possible =
          std::find(possible.begin(), possible.end(), named.format) != possible.end();
      if (options.format == named.name && is_possible) return named.format;
    }
    throw Error("data.format=" + options.format + " gives no " + sample_kind_name(kind) +
                    " samples; this job needs another format, or auto",
                Exit::usage);
  }
  for (const RowFormat format : possible) {
    if (has_format(first_row, format, options.columns)) return format;
  }
  std::vector<std::string> found;
  if (first_row.is_object()) {
    for (const auto& [name, value] : first_row.items()) found.push_back(name);
  }
  std::string wanted;
  for (const RowFormat format : possible) {
    wanted += (wanted.empty() ? "" : "; or ") + joined(needed_columns(format, options.columns));
  }
  throw Error(where + ": its columns are " + (found.empty() ? "none" : joined(found)) + "; " +
              sample_kind_name(kind) + " samples need " + wanted +
              ". Set data.columns.* to the names that your file uses");
}

bool has_transcripts(const Json& row, const RowPlan& plan) {
  return any_content(row, plan, [](const Json& value) {
    return value.is_string() && is_transcript(value.get_ref<const std::string&>());
  });
}

bool has_message_lists(const Json& row, const RowPlan& plan) {
  return plan.format == RowFormat::messages ||
         any_content(row, plan, [](const Json& value) { return value.is_array(); });
}

}  // namespace plumb
