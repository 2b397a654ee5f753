#include <cstring>

#include "core/error.h"
#include "core/io/safetensors.h"

namespace plumb {

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  SafetensorsFile opened;
  opened.path_ = path;
  opened.file_ = files::open_regular(path);
  const std::uint64_t size = files::size_of(opened.file_, path);
  std::string bytes(std::min<std::uint64_t>(size, sizeof(std::uint64_t)), '\0');
  files::read_exactly(opened.file_, path, 0, bytes.data(), bytes.size());
  if (bytes.size() == sizeof(std::uint64_t)) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof(length));
    // A length that cannot be is left for the parser to refuse; nothing is allocated for it.
    if (length <= kMaxSafetensorsHeader && length <= size - bytes.size()) {
      bytes.resize(sizeof(length) + length);
      files::read_exactly(opened.file_, path, 0, bytes.data(), bytes.size());
    }
  }
  opened.header_ = parse_safetensors_header(bytes, size, path);
  for (std::size_t i = 0; i < opened.header_.tensors.size(); ++i) {
    opened.index_.emplace(opened.header_.tensors[i].name, i);
  }
  return opened;
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &header_.tensors[found->second];
}

void SafetensorsFile::read(const TensorEntry& entry, void* destination) const {
  try {
    files::read_exactly(file_, path_, entry.begin, destination, entry.bytes());
  } catch (const Error& error) {
    throw Error(std::string(error.what()) + " (tensor '" + entry.name + "')", error.code);
  }
  if (entry.dtype != Dtype::boolean) return;
  auto* bytes = static_cast<unsigned char*>(destination);
  // Any other value in a C++ bool is undefined behaviour.
  for (std::uint64_t i = 0; i < entry.bytes(); ++i) bytes[i] = bytes[i] != 0 ? 1 : 0;
}

}  // namespace plumb
