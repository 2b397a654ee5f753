#include <bit>
#include <unordered_set>

#include "core/error.h"
#include "core/io/gguf_layout.h"

namespace plumb {

static_assert(std::endian::native == std::endian::little, "GGUF is written little-endian");

namespace {

template <class T>
void put(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    put(out, static_cast<std::uint64_t>(value.size()));
    out += value;
  } else {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

template <class T>
void put_value(std::string& out, const T& value) {
  put(out, gguf::type_number<T>());
  put(out, value);
}

template <class T>
void put_value(std::string& out, const std::vector<T>& values) {
  put(out, gguf::kArray);
  put(out, gguf::type_number<T>());
  put(out, static_cast<std::uint64_t>(values.size()));
  for (const T& value : values) put(out, value);
}

void put_metadata(std::string& out, const GgufMetadata& metadata, const std::string& path) {
  std::unordered_set<std::string> seen;
  for (const auto& [key, value] : metadata) {
    if (key.empty() || key.size() > gguf::kMaxKey) {
      throw Error(path + ": metadata key '" + key.substr(0, 80) + "' must have 1 to 65535 bytes");
    }
    if (!seen.insert(key).second) throw Error(path + ": metadata key '" + key + "' is given twice");
    put(out, key);
    std::visit([&out](const auto& held) { put_value(out, held); }, value);
  }
}

void check_tensor(const GgufSource& tensor, const std::string& path) {
  if (tensor.name.empty() || tensor.name.size() > kMaxGgufName) {
    throw Error(path + ": tensor name '" + tensor.name + "' must have 1 to 63 bytes");
  }
  if (gguf::tensor_bytes(tensor.type, tensor.shape)) return;
  std::string shape;
  for (const std::int64_t extent : tensor.shape) shape += " " + std::to_string(extent);
  throw Error(path + ": tensor '" + tensor.name + "' of shape (" + shape +
              " ) cannot be stored as " + std::string(ggml_type_name(tensor.type)));
}

// The table of tensors -> their bytes after padding, in all.
void put_table(std::string& out, const std::vector<GgufSource>& tensors, const std::string& path) {
  std::unordered_set<std::string> seen;
  std::uint64_t offset = 0;
  for (const GgufSource& tensor : tensors) {
    check_tensor(tensor, path);
    if (!seen.insert(tensor.name).second) {
      throw Error(path + ": tensor '" + tensor.name + "' is given twice");
    }
    put(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
      put(out, static_cast<std::uint64_t>(tensor.shape[i]));
    }
    put(out, static_cast<std::uint32_t>(tensor.type));
    put(out, offset);
    offset = gguf::aligned(offset + *gguf::tensor_bytes(tensor.type, tensor.shape), kGgufAlignment);
  }
}

void pad(const files::Sink& sink, std::uint64_t written) {
  const std::uint64_t count = gguf::aligned(written, kGgufAlignment) - written;
  if (count > 0) sink(std::string(count, '\0'));
}

void write_tensor(const GgufSource& tensor, const files::Sink& sink, const std::string& path) {
  std::uint64_t written = 0;
  tensor.write([&](std::string_view bytes) {
    written += bytes.size();
    sink(bytes);
  });
  const std::uint64_t expected = *gguf::tensor_bytes(tensor.type, tensor.shape);
  if (written != expected) {
    throw Error(path + ": tensor '" + tensor.name + "' gave " + std::to_string(written) +
                    " bytes of " + std::to_string(expected),
                Exit::failed);
  }
  pad(sink, written);
}

}  // namespace

void write_gguf(const std::string& path, const GgufMetadata& metadata,
                const std::vector<GgufSource>& tensors) {
  std::string header(gguf::kMagic, sizeof(gguf::kMagic));
  put(header, gguf::kVersion);
  put(header, static_cast<std::uint64_t>(tensors.size()));
  put(header, static_cast<std::uint64_t>(metadata.size()));
  put_metadata(header, metadata, path);
  put_table(header, tensors, path);
  files::publish(path, [&](const files::Sink& sink) {
    sink(header);
    pad(sink, header.size());
    for (const GgufSource& tensor : tensors) write_tensor(tensor, sink, path);
  });
}

}  // namespace plumb
