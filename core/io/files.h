// The one seam through which every file is written (DESIGN.md 7). `publish` replaces a file whole:
// temporary in the same folder, write, fsync, rename, fsync of the folder; on any error the old
// file stands and no temporary is left. `AppendLog` adds whole records. A failed fsync is never
// retried on the same file (the kernel may have dropped the pages): the file is given up. Errors
// name path, operation, errno and, for ENOSPC, bytes needed and free.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace plumb::files {

std::string read_file(const std::string& path, std::size_t max_bytes = std::size_t{1} << 30);
bool exists(const std::string& path);
void create_directories(const std::string& path);

// Receives the bytes of one file in order.
using Sink = std::function<void(std::string_view bytes)>;

void publish(const std::string& path, std::string_view bytes);
void publish(const std::string& path, const std::function<void(const Sink&)>& write);

// For writers that need a path of their own (HDF5): `write` fills the temporary it is given; then
// as above.
void publish_path(const std::string& path,
                  const std::function<void(const std::string& temporary)>& write);

// A folder published whole: `write` fills a temporary sibling folder (its files through publish),
// which is then renamed to `path`. `path` must not exist.
void publish_directory(const std::string& path,
                       const std::function<void(const std::string& temporary)>& write);

void remove_tree(const std::string& path);

// A file of records, each whole or absent. `open_at` cuts the file to `size` bytes first (a torn or
// later tail goes), which is how resume makes each step stand once in every log.
class AppendLog {
 public:
  static AppendLog create(const std::string& path);
  static AppendLog open_at(const std::string& path, std::uint64_t size);
  AppendLog(AppendLog&&) noexcept;
  AppendLog& operator=(AppendLog&&) noexcept;
  ~AppendLog();

  void append(std::string_view record);  // one write; a short write is finished or cut back
  void sync();                           // fsync: called when a checkpoint is about to count on it
  std::uint64_t size() const;            // bytes of whole records

 private:
  explicit AppendLog(std::string path, int descriptor, std::uint64_t size);
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace plumb::files
