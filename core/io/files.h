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

// The bytes of a regular file; more than `max_bytes` is an error.
std::string read_file(const std::string& path, std::size_t max_bytes = std::size_t{1} << 30);
bool exists(const std::string& path);
void create_directories(const std::string& path);  // and makes the new folders durable

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

// A file or a folder with all in it; links are removed, not followed. Nothing there is no error.
void remove_tree(const std::string& path);

// Removes temporaries in `folder` whose writer was killed: their names hold its process id.
void remove_stale_temporaries(const std::string& folder);

// A file of records, each whole or absent. `open_at` cuts the file to `size` bytes first (a torn or
// later tail goes), which is how resume makes each step stand once in every log.
class AppendLog {
 public:
  static AppendLog create(const std::string& path);  // an error if `path` exists
  // A file shorter than `size` is an error; with size 0 it need not exist.
  static AppendLog open_at(const std::string& path, std::uint64_t size);
  AppendLog(AppendLog&&) noexcept;
  AppendLog& operator=(AppendLog&&) noexcept;
  ~AppendLog();

  // One write; a short write is finished or cut back. After a failed cut or sync the log is closed
  // for good and every later call throws.
  void append(std::string_view record);
  void sync();                 // fsync: called when a checkpoint is about to count on it
  std::uint64_t size() const;  // bytes of whole records

 private:
  AppendLog(std::string path, int descriptor, std::uint64_t size);
  void check_open() const;
  void give_up();

  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace plumb::files
