// Source files divided into rows, one after another, none of it parsed yet: lines of JSONL,
// elements of a JSON array, documents of a text file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/data/input_file.h"

namespace plumb {

enum class RawKind { json, text };

struct RawRow {
  std::string bytes;     // one JSON value, or a piece of a document
  std::string where;     // "file:line"
  std::string fault;     // why the row cannot be read; empty when it can
  bool ends_row = true;  // false: the next RawRow goes on with this document
};

struct RowLimits {
  std::size_t max_row_bytes = std::size_t{64} << 20;   // of a JSON row
  std::size_t max_piece_bytes = std::size_t{1} << 20;  // of a document; longer ones come in pieces
};

// Gives the next row; false at the end.
using NextRow = std::function<bool(RawRow&)>;

struct RowSource {
  RawKind kind;
  NextRow next;
};

// By the file's name (.jsonl or .ndjson, .json, .txt; each also with .gz). A .json file whose first
// character is no '[' is read as lines. Blank lines and blank documents are no rows. Throws Error
// for another name, for UTF-16, and for what ends the reading of a whole file: damaged gzip data,
// an array that does not end, text that is not UTF-8 or holds NUL.
//
// Documents of a text file are divided by `separator` (empty: the file is one document), which
// takes one newline on each side with it. CR LF becomes LF. Pieces end at a blank line, else a
// line's end, where there is one, so that a tokenizer sees whole lines.
RowSource open_rows(std::shared_ptr<InputFile> file, const std::string& separator,
                    const RowLimits& limits = {});

}  // namespace plumb
