// A JSON row in one of the column forms, read into turns or text. Nothing here knows tokens.
#pragma once
#include <string>
#include <vector>

#include "core/data/data_options.h"
#include "core/data/sample.h"
#include "core/error.h"
#include "core/io/json.h"
#include "core/text/chat_format.h"

namespace plumb {

enum class RowFormat { text, prompt_completion, messages, instruction, preference, prompt };
std::string row_format_name(RowFormat format);

// A row that cannot be used: `reason` is short and counted, what() is the whole story.
struct RowError : Error {
  RowError(std::string short_reason, const std::string& where, const std::string& story)
      : Error(where + ": " + story), reason(std::move(short_reason)) {}
  RowError(std::string short_reason, const Error& error)
      : Error(error), reason(std::move(short_reason)) {}
  std::string reason;
};

// What is known before a row is read.
struct RowPlan {
  SampleKind kind = SampleKind::text;
  RowFormat format = RowFormat::text;
  ChatFormat chat = ChatFormat::none;
  ColumnOptions columns;
};

// What a row says. For preference `turns` is the chosen conversation; for prompt it ends with a
// user's turn.
struct Record {
  std::string text;  // RowFormat::text
  std::vector<Message> turns;
  std::vector<Message> rejected;
  std::string tools;      // JSON, or empty
  std::string variables;  // of the chat template: JSON, or empty
  double margin = 0.0;
  std::string answer;
};

// The format of the options, or the one that the columns of the first row show, of those that give
// samples of this kind. Throws Error that lists the columns found and wanted.
RowFormat choose_row_format(const DataOptions& options, SampleKind kind, const Json& first_row,
                            const std::string& where);

// Whether the row's strings are whole transcripts ("\n\nHuman: ..."), and whether it has lists of
// messages: both decide what `template: auto` means.
bool has_transcripts(const Json& row, const RowPlan& plan);
bool has_message_lists(const Json& row, const RowPlan& plan);

// Throws RowError.
Record read_record(const Json& row, const RowPlan& plan, const std::string& where);

// A column by its name, or by a path with dots; null when there is none.
const Json* find_column(const Json& row, const std::string& name);

}  // namespace plumb
