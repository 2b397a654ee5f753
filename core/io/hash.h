// XXH3-128 checksums: they find rot and mix-ups, not forgeries. Hex, 32 lower-case digits, in the
// canonical (big-endian) order that xxhsum prints.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace plumb {

class Hasher {
 public:
  Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  Hasher& update(std::string_view bytes);
  Hasher& update(const void* bytes, std::size_t count);
  std::string hex() const;  // of all bytes so far; more may follow

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hash_hex(std::string_view bytes);
std::string hash_file(const std::string& path);

}  // namespace plumb
