// Bytes of an InputFile one by one, with the number of the line they stand on.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/data/input_file.h"

namespace plumb {

class ByteStream {
 public:
  // Skips a UTF-8 byte-order mark; throws Error on one of UTF-16.
  explicit ByteStream(std::shared_ptr<InputFile> file);

  // What is buffered and not yet taken; empty at the end of the file only.
  std::string_view window();
  void take(std::size_t count);  // at most window().size(); newlines are counted

  std::int64_t line() const { return line_; }  // of the next byte, from 1
  std::string where() const { return file_->path() + ":" + std::to_string(line_); }
  const std::string& path() const { return file_->path(); }

 private:
  std::shared_ptr<InputFile> file_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace plumb
