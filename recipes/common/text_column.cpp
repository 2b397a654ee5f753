#include "recipes/common/text_column.h"

#include "core/data/encode_row.h"
#include "core/data/raw_rows.h"
#include "core/error.h"

namespace plumb {
namespace {

RowSource open_json_rows(const std::string& path) {
  auto source = open_rows(std::make_shared<InputFile>(path), "");
  if (source.kind != RawKind::json) {
    throw Error(path + ": rows of JSON are needed here: .jsonl or .json, also as .gz", Exit::usage);
  }
  return source;
}

}  // namespace

bool has_column(const std::string& path, const std::string& column) {
  const auto source = open_json_rows(path);
  RawRow row;
  return source.next(row) && find_column(parse_row(row), column) != nullptr;
}

std::vector<std::string> read_text_column(const std::string& path, const std::string& column) {
  const auto source = open_json_rows(path);
  std::vector<std::string> texts;
  for (RawRow row; source.next(row);) {
    const Json json = parse_row(row);
    const Json* value = find_column(json, column);
    if (value == nullptr || !value->is_string()) {
      throw Error(row.where + ": needs a column " + column + " that is text");
    }
    texts.push_back(value->get<std::string>());
  }
  if (texts.empty()) throw Error(path + ": it holds no rows");
  return texts;
}

}  // namespace plumb
