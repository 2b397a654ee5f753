// Any bytes: a GGUF header whose tensors lie in the file, aligned and apart, or plumb::Error.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/io/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = [&](std::uint64_t offset, void* destination, std::size_t count) {
    if (offset > size || count > size - offset) std::abort();  // asked beyond the file
    if (count > 0) std::memcpy(destination, data + offset, count);
  };
  plumb::GgufHeader header;
  try {
    header = plumb::parse_gguf_header(read, size, "fuzz");
  } catch (const plumb::Error&) {
    return 0;
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::uint64_t reached = 0;
  for (const plumb::GgufTensor& tensor : header.tensors) {
    if (tensor.begin < reached || tensor.end < tensor.begin || tensor.end > size) std::abort();
    if (tensor.rows() < 1 || tensor.width() < 1) std::abort();
    reached = tensor.end;
  }
  return 0;
}
