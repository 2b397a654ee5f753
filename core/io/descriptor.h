// An open file: closed when it goes out of scope, read at offsets (never mapped: a mapped file that
// another process cuts short ends the program with SIGBUS, a pread of it is an error).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace plumb::files {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  int release();
  void reset();  // closes without a word: for files that were only read

 private:
  int descriptor_ = -1;
};

// Opens for reading. Throws Error naming `path` unless it is a regular file (a link to one is
// followed, a FIFO or device is refused without being waited for).
Descriptor open_regular(const std::string& path);

std::uint64_t size_of(const Descriptor& file, const std::string& path);

// Fills `destination` from `offset`; throws Error when the file ends first.
void read_exactly(const Descriptor& file, const std::string& path, std::uint64_t offset,
                  void* destination, std::size_t count);

// "path: operation failed: No space left on device (28); 4096 bytes to write, 0 free in folder"
[[noreturn]] void fail_with_errno(const std::string& path, const std::string& operation,
                                  int error_number, std::uint64_t bytes_needed = 0);

}  // namespace plumb::files
