// Gzip data for tests, made by zlib.
#pragma once
#include <string>

namespace plumb {

std::string gzip_bytes(const std::string& bytes);

}  // namespace plumb
