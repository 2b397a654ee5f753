// safetensors files (https://github.com/huggingface/safetensors, format section of its README),
// read more strictly than the reference does: the header starts with '{', no key stands twice
// however it is escaped, no field is unknown, rank is at most 8, sizes never overflow, and the
// tensors fill the rest of the file without hole or overlap. Errors name file, place and tensor.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/io/descriptor.h"
#include "core/io/dtype.h"
#include "core/io/files.h"

namespace plumb {

struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;  // row-major; [] is a scalar
  std::uint64_t begin = 0;          // bytes [begin, end) of the file
  std::uint64_t end = 0;

  std::uint64_t bytes() const { return end - begin; }
};

using TensorMetadata = std::map<std::string, std::string>;

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;  // in the order of the header
  TensorMetadata metadata;           // the strings of __metadata__
};

constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;  // the format's limit, in bytes

// `bytes`: the beginning of a file of `file_size` bytes, at least up to the end of its header.
SafetensorsHeader parse_safetensors_header(std::string_view bytes, std::uint64_t file_size,
                                           const std::string& source);

class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<TensorEntry>& entries() const { return header_.tensors; }
  const TensorMetadata& metadata() const { return header_.metadata; }
  const TensorEntry* find(const std::string& name) const;  // nullptr: not here

  // Copies the tensor's bytes (little-endian, row-major, entry.bytes() of them) to `destination`,
  // which needs no alignment. BOOL bytes come out as 0 or 1. Safe from several threads at once.
  void read(const TensorEntry& entry, void* destination) const;

 private:
  SafetensorsFile() = default;

  std::string path_;
  files::Descriptor file_;
  SafetensorsHeader header_;
  std::unordered_map<std::string, std::size_t> index_;
};

// A tensor to be written. `write` gives exactly its bytes, in any number of pieces.
struct TensorSource {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::function<void(const files::Sink&)> write;
};

// From row-major memory, which must stay alive until the file is written.
TensorSource tensor_in_memory(std::string name, Dtype dtype, std::vector<std::int64_t> shape,
                              const void* data);

std::uint64_t tensor_bytes(const TensorSource& tensor);

// Publishes one file, streaming. Tensors lie in the order given, wider dtypes first, so that each
// is aligned to its element.
void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const TensorMetadata& metadata);

}  // namespace plumb
