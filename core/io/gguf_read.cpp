#include <algorithm>

#include "core/error.h"
#include "core/io/gguf_layout.h"

namespace plumb {

std::optional<std::uint64_t> gguf::tensor_bytes(GgmlType type,
                                                const std::vector<std::int64_t>& shape) {
  if (shape.empty() || shape.size() > kMaxRank) return std::nullopt;
  if (shape.back() % ggml_block_values(type) != 0) return std::nullopt;
  std::int64_t bytes = shape.back() / ggml_block_values(type);
  if (__builtin_mul_overflow(bytes, ggml_block_bytes(type), &bytes)) return std::nullopt;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) {
    if (shape[i] < 1 || __builtin_mul_overflow(bytes, shape[i], &bytes)) return std::nullopt;
  }
  if (bytes < 1) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

const GgufValue* find_value(const GgufMetadata& metadata, std::string_view key) {
  const auto found = std::find_if(metadata.begin(), metadata.end(),
                                  [key](const auto& entry) { return entry.first == key; });
  return found == metadata.end() ? nullptr : &found->second;
}

std::int64_t GgufTensor::rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

GgufFile GgufFile::open(const std::string& path, const GgufLimits& limits) {
  GgufFile opened;
  opened.path_ = path;
  opened.file_ = files::open_regular(path);
  const auto read = [&opened](std::uint64_t offset, void* destination, std::size_t count) {
    files::read_exactly(opened.file_, opened.path_, offset, destination, count);
  };
  opened.header_ = parse_gguf_header(read, files::size_of(opened.file_, path), path, limits);
  for (std::size_t i = 0; i < opened.header_.tensors.size(); ++i) {
    opened.index_.emplace(opened.header_.tensors[i].name, i);
  }
  return opened;
}

const GgufTensor* GgufFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &header_.tensors[found->second];
}

void GgufFile::read_rows(const GgufTensor& tensor, std::int64_t first, std::int64_t count,
                         float* destination) const {
  const std::uint64_t row_bytes =
      tensor.width() / ggml_block_values(tensor.type) * ggml_block_bytes(tensor.type);
  std::string bytes(row_bytes * count, '\0');
  files::read_exactly(file_, path_, tensor.begin + row_bytes * first, bytes.data(), bytes.size());
  ggml_decode(tensor.type, bytes,
              std::span(destination, static_cast<std::size_t>(count * tensor.width())));
}

}  // namespace plumb
