#include "core/data/byte_stream.h"

#include <algorithm>

#include "core/error.h"

namespace plumb {
namespace {
constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
}

ByteStream::ByteStream(std::shared_ptr<InputFile> file) : file_(std::move(file)) {
  const std::string_view start = window();
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) {
    throw Error(path() + ":1: the file is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)");
  }
  if (start.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

std::string_view ByteStream::window() {
  if (at_ == buffer_.size()) {
    buffer_.resize(kBufferBytes);
    buffer_.resize(file_->read(buffer_.data(), buffer_.size()));
    at_ = 0;
  }
  return std::string_view(buffer_).substr(at_);
}

void ByteStream::take(std::size_t count) {
  const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(at_);
  line_ += std::count(begin, begin + static_cast<std::ptrdiff_t>(count), '\n');
  at_ += count;
}

}  // namespace plumb
