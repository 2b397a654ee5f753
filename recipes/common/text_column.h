// One column of text from a JSONL or JSON file, as commands that use a model read it.
#pragma once
#include <string>
#include <vector>

namespace plumb {

// Whether the first row of the file (.jsonl, .json, each also .gz) has the column.
bool has_column(const std::string& path, const std::string& column);

// The column of every row, in order. Throws Error at the first row without it or where it is no
// text, and for a file without rows.
std::vector<std::string> read_text_column(const std::string& path, const std::string& column);

}  // namespace plumb
