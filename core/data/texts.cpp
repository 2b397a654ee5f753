#include "core/data/texts.h"

#include <memory>

#include "core/data/input_file.h"
#include "core/data/raw_rows.h"
#include "core/data/records.h"
#include "core/error.h"
#include "core/io/json.h"

namespace plumb {
namespace {

std::string text_column(const Json& row, const DataOptions& options, const std::string& where) {
  const Json* column = find_column(row, options.columns.text);
  if (column == nullptr || !column->is_string()) {
    throw Error(where + ": needs a column " + options.columns.text +
                " that is text; name another with data.columns.text");
  }
  return column->get<std::string>();
}

std::string text_of(const RawRow& row, RawKind kind, const DataOptions& options) {
  if (!row.fault.empty()) throw Error(row.where + ": " + row.fault);
  if (kind == RawKind::text) return row.bytes;
  return text_column(parse_json(row.bytes, row.where), options, row.where);
}

}  // namespace

void for_each_text(const DataOptions& options, const std::function<void(std::string text)>& use) {
  std::int64_t rows = 0;
  for (const auto& path : options.path) {
    const RowSource source =
        open_rows(std::make_shared<InputFile>(path), options.document_separator);
    for (RawRow row; source.next(row);) {
      if (options.limit > 0 && rows >= options.limit) return;
      rows += row.ends_row ? 1 : 0;
      try {
        use(text_of(row, source.kind, options));
      } catch (const Error&) {
        if (!options.skip_bad) throw;
      }
    }
  }
}

}  // namespace plumb
