// A source file read in order, plain or gzip (told apart by its first bytes, not by its name).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace plumb {

class InputFile {
 public:
  // Throws Error unless `path` is a regular file that can be read.
  explicit InputFile(const std::string& path);

  // Up to `capacity` bytes after decompression; 0 at the end. Throws Error on damaged gzip data and
  // on a stream that stops in the middle.
  std::size_t read(char* buffer, std::size_t capacity);

  const std::string& path() const { return path_; }
  std::int64_t bytes_consumed() const;  // of the file as it lies on disk

 private:
  struct Closer {
    void operator()(void* file) const;
  };
  std::string path_;
  std::unique_ptr<void, Closer> file_;  // gzFile
};

// Size and time of change of a source file: says whether it is still the file that was hashed.
struct FileStamp {
  std::int64_t bytes = 0;
  std::int64_t changed_seconds = 0;
  std::int64_t changed_nanoseconds = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp file_stamp(const std::string& path);  // throws Error as InputFile does

}  // namespace plumb
