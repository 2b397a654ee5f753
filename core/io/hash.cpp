#include "core/io/hash.h"

#include <xxhash.h>

#include <algorithm>
#include <new>
#include <vector>

#include "core/io/descriptor.h"

namespace plumb {
namespace {

std::string to_hex(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace

struct Hasher::State {
  XXH3_state_t* state = XXH3_createState();
  ~State() { XXH3_freeState(state); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  if (state_->state == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_->state);
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Hasher& Hasher::update(const void* bytes, std::size_t count) {
  if (count > 0) XXH3_128bits_update(state_->state, bytes, count);
  return *this;
}

Hasher& Hasher::update(std::string_view bytes) {
  return update(bytes.data(), bytes.size());
}

std::string Hasher::hex() const {
  return to_hex(XXH3_128bits_digest(state_->state));
}

std::string hash_hex(std::string_view bytes) {
  return to_hex(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hash_file(const std::string& path) {
  const files::Descriptor file = files::open_regular(path);
  const std::uint64_t size = files::size_of(file, path);
  std::vector<char> block(std::size_t{1} << 20);
  Hasher hasher;
  for (std::uint64_t at = 0; at < size; at += block.size()) {
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size - at));
    files::read_exactly(file, path, at, block.data(), count);
    hasher.update(block.data(), count);
  }
  return hasher.hex();
}

}  // namespace plumb
