// Any bytes: a header whose tensors tile the rest of the file exactly, or plumb::Error.
#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/io/safetensors.h"

namespace {

std::uint64_t elements(const plumb::TensorEntry& entry) {
  std::uint64_t product = 1;
  for (const std::int64_t extent : entry.shape) product *= static_cast<std::uint64_t>(extent);
  return product;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  plumb::SafetensorsHeader header;
  try {
    header = plumb::parse_safetensors_header(bytes, size, "fuzz");
  } catch (const plumb::Error&) {
    return 0;
  }
  std::uint64_t total = 0;
  for (const plumb::TensorEntry& entry : header.tensors) {
    const bool is_inside = entry.begin <= entry.end && entry.end <= size;
    if (!is_inside || entry.bytes() != elements(entry) * plumb::dtype_size(entry.dtype)) {
      std::abort();
    }
    total += entry.bytes();
  }
  if (total > size) std::abort();
  return 0;
}
