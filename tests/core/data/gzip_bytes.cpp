#include "tests/core/data/gzip_bytes.h"

#include <zlib.h>

#include <stdexcept>

namespace plumb {

std::string gzip_bytes(const std::string& bytes) {
  z_stream stream{};
  constexpr int kGzipHeader = 15 + 16;
  if (deflateInit2(&stream, 6, Z_DEFLATED, kGzipHeader, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string out(bytes.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace plumb
