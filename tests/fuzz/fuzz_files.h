// Files in memory under names on disk, for readers that take a path: filled anew for each input
// without a write to a disk.
#pragma once
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace plumb {

class FuzzFolder {
 public:
  FuzzFolder() {
    char pattern[] = "/tmp/plumb-fuzz-XXXXXX";
    if (::mkdtemp(pattern) == nullptr) std::abort();
    path_ = pattern;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class FuzzFile {
 public:
  FuzzFile(const FuzzFolder& folder, const std::string& name)
      : descriptor_(::memfd_create(name.c_str(), 0)), path_(folder.path() + "/" + name) {
    const std::string target = "/proc/self/fd/" + std::to_string(descriptor_);
    if (descriptor_ < 0 || ::symlink(target.c_str(), path_.c_str()) != 0) std::abort();
  }
  const std::string& path() const { return path_; }

  void fill(std::string_view bytes) const {
    const bool is_filled =
        ::ftruncate(descriptor_, 0) == 0 &&
        ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
    if (!is_filled) std::abort();
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace plumb
