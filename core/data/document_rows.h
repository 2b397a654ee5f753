// Documents of a text file, in pieces; see open_rows.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/data/byte_stream.h"
#include "core/data/raw_rows.h"

namespace plumb {

class DocumentRows {
 public:
  DocumentRows(std::shared_ptr<ByteStream> stream, std::string separator, const RowLimits& limits);
  bool operator()(RawRow& row);

 private:
  void fill(std::size_t bytes);
  std::string_view rest() const { return std::string_view(pending_).substr(at_); }
  std::size_t piece_end() const;
  void check(std::string_view piece) const;

  std::shared_ptr<ByteStream> stream_;
  std::string separator_;
  RowLimits limits_;
  std::string pending_;  // read; not yet given out from at_ on
  std::size_t at_ = 0;
  std::int64_t line_ = 1;            // of the byte at at_
  bool is_within_document_ = false;  // a piece of it was given out
};

}  // namespace plumb
