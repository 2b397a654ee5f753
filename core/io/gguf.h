// GGUF version 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md):
// metadata, a table of tensors and their aligned data. Writing streams tensor by tensor; reading
// never trusts a number of the file. Of tensor types, those that Plumb exports are known.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/io/descriptor.h"
#include "core/io/files.h"
#include "core/io/ggml_types.h"

namespace plumb {

// A metadata value. The alternatives are the format's types, less arrays of what no key needs.
using GgufValue =
    std::variant<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t,
                 std::int32_t, float, bool, std::string, std::uint64_t, std::int64_t, double,
                 std::vector<std::uint8_t>, std::vector<std::uint32_t>, std::vector<std::int32_t>,
                 std::vector<float>, std::vector<std::string>>;

using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;  // in the file's order

const GgufValue* find_value(const GgufMetadata& metadata, std::string_view key);  // null: not there

constexpr std::uint32_t kGgufAlignment = 32;  // of tensor data, unless general.alignment differs
constexpr std::size_t kMaxGgufName = 63;  // bytes of a tensor's name: ggml keeps 64 with the NUL

struct GgufTensor {
  std::string name;
  GgmlType type = GgmlType::f32;
  std::vector<std::int64_t> shape;  // row-major as everywhere here; files list it backwards
  std::uint64_t begin = 0;          // bytes [begin, end) of the file
  std::uint64_t end = 0;

  std::uint64_t bytes() const { return end - begin; }
  std::int64_t width() const { return shape.back(); }
  std::int64_t rows() const;  // product of all extents but the last
};

struct GgufHeader {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;
};

struct GgufLimits {
  std::uint64_t max_header_bytes = std::uint64_t{1} << 29;
  std::uint64_t max_values = 65'536;
  std::uint64_t max_tensors = 262'144;
};

// Copies `count` bytes from `offset` of the file.
using ReadBytes = std::function<void(std::uint64_t offset, void* destination, std::size_t count)>;

// Reads the header of a file of `file_size` bytes. Throws Error that names `source`, the byte, the
// key or tensor and the rule: magic, version 3, counts and lengths within limits and file, no key
// or tensor twice, 1 to 4 dimensions of at least 1, whole blocks in a row, data aligned, within the
// file and without overlap.
GgufHeader parse_gguf_header(const ReadBytes& read, std::uint64_t file_size,
                             const std::string& source, const GgufLimits& limits = {});

class GgufFile {
 public:
  static GgufFile open(const std::string& path, const GgufLimits& limits = {});

  const std::string& path() const { return path_; }
  const GgufMetadata& metadata() const { return header_.metadata; }
  const std::vector<GgufTensor>& tensors() const { return header_.tensors; }
  const GgufTensor* find(const std::string& name) const;  // nullptr: not here

  // f32 values of rows [first, first + count), dequantised -> count * width of `destination`.
  void read_rows(const GgufTensor& tensor, std::int64_t first, std::int64_t count,
                 float* destination) const;

 private:
  GgufFile() = default;

  std::string path_;
  files::Descriptor file_;
  GgufHeader header_;
  std::unordered_map<std::string, std::size_t> index_;
};

// A tensor to be written. `write` gives exactly its bytes, in any number of pieces.
struct GgufSource {
  std::string name;
  GgmlType type = GgmlType::f32;
  std::vector<std::int64_t> shape;
  std::function<void(const files::Sink&)> write;
};

// Publishes one file. Throws Error on what the format or llama.cpp does not take: a key or name
// twice, a name over kMaxGgufName bytes, rows that are no whole blocks.
void write_gguf(const std::string& path, const GgufMetadata& metadata,
                const std::vector<GgufSource>& tensors);

}  // namespace plumb
