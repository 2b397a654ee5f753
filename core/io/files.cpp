#include "core/io/files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "core/io/descriptor.h"
#include "core/io/file_ops.h"
#include "core/io/file_write.h"

namespace plumb::files {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporaryMark = ".tmp-";  // .NAME.tmp-PID-N

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void check_target(const std::string& path) {
  if (path.find('\0') != std::string::npos) throw Error("'" + path + "': NUL byte in a file name");
  if (fs::path(path).filename().empty()) throw Error("'" + path + "': names no file to write");
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    throw Error(path + ": is a folder; a file cannot be written over it", Exit::failed);
  }
}

// Removes what it holds unless `keep` was called: the way out of every failed write.
class TemporaryGuard {
 public:
  explicit TemporaryGuard(std::string path) : path_(std::move(path)) {}
  ~TemporaryGuard() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  TemporaryGuard(const TemporaryGuard&) = delete;
  TemporaryGuard& operator=(const TemporaryGuard&) = delete;
  void keep() { kept_ = true; }

 private:
  std::string path_;
  bool kept_ = false;
};

bool process_is_gone(std::string_view name) {
  const std::size_t mark = name.rfind(kTemporaryMark);
  if (name.substr(0, 1) != "." || mark == std::string_view::npos) return false;
  const std::string_view tail = name.substr(mark + kTemporaryMark.size());
  pid_t process = 0;
  const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), process);
  if (error != std::errc{} || end == tail.data() + tail.size() || *end != '-') return false;
  return process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
}

}  // namespace

std::string temporary_for(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  const fs::path whole(path);
  const std::string name = "." + whole.filename().string() + std::string(kTemporaryMark) +
                           std::to_string(::getpid()) + "-" + std::to_string(counter++);
  return (whole.parent_path() / name).string();
}

void sync_and_close(int descriptor, const std::string& path) {
  // Never tried again: after a failed fsync the kernel may count the lost pages as clean.
  if (file_ops().fsync(descriptor) != 0) {
    const int reason = errno;
    file_ops().close(descriptor);
    fail_with_errno(path, "fsync", reason);
  }
  if (file_ops().close(descriptor) != 0) fail_with_errno(path, "close", errno);
}

// The folder is opened before the rename, so that all that can fail early does.
void rename_durably(const std::string& temporary, const std::string& path) {
  const std::string folder = parent_of(path);
  const int descriptor = open_retrying(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file_ops().rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    file_ops().close(descriptor);
    fail_with_errno(path, "rename of '" + temporary + "'", reason);
  }
  sync_and_close(descriptor, folder);
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

void sync_folder(const std::string& folder) {
  sync_and_close(open_retrying(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder);
}

int open_retrying(const std::string& path, int flags) {
  // Permission bits are the umask's business, as with any other program.
  constexpr mode_t kFileMode = 0666;
  int descriptor = -1;
  do {
    descriptor = file_ops().open(path.c_str(), flags, kFileMode);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail_with_errno(path, "open", errno);
  return descriptor;
}

void write_all(int descriptor, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = file_ops().write(descriptor, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail_with_errno(path, "write", errno, bytes.size());
    // POSIX allows 0 only for an empty request; without this a bad file system would loop for ever.
    if (wrote == 0) fail_with_errno(path, "write", EIO, bytes.size());
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

std::string read_file(const std::string& path, std::size_t max_bytes) {
  const Descriptor file = open_regular(path);
  const std::uint64_t size = size_of(file, path);
  if (size > max_bytes) {
    throw Error(path + ": " + std::to_string(size) + " bytes; the limit here is " +
                std::to_string(max_bytes));
  }
  std::string bytes(size, '\0');
  read_exactly(file, path, 0, bytes.data(), bytes.size());
  return bytes;
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

void create_directories(const std::string& path) {
  std::vector<std::string> missing;
  fs::path at = without_trailing_slash(path);
  while (!at.empty() && !exists(at.string())) {
    missing.push_back(at.string());
    at = at.parent_path();
  }
  std::reverse(missing.begin(), missing.end());
  for (const std::string& folder : missing) {
    constexpr mode_t kFolderMode = 0777;
    if (file_ops().mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      fail_with_errno(folder, "mkdir", errno);
    }
    sync_folder(parent_of(folder));
  }
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    throw Error(path + ": a folder is needed here, but a file of that name exists", Exit::failed);
  }
}

void publish(const std::string& path, std::string_view bytes) {
  publish(path, [bytes](const Sink& sink) { sink(bytes); });
}

void publish(const std::string& path, const std::function<void(const Sink&)>& write) {
  check_target(path);
  const std::string temporary = temporary_for(path);
  const int descriptor = open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
  TemporaryGuard guard(temporary);
  try {
    write([&](std::string_view bytes) { write_all(descriptor, path, bytes); });
  } catch (...) {
    file_ops().close(descriptor);
    throw;
  }
  sync_and_close(descriptor, path);
  rename_durably(temporary, path);
  guard.keep();
}

void publish_path(const std::string& path,
                  const std::function<void(const std::string& temporary)>& write) {
  check_target(path);
  const std::string temporary = temporary_for(path);
  TemporaryGuard guard(temporary);
  write(temporary);
  sync_and_close(open_retrying(temporary, O_RDONLY | O_CLOEXEC), path);
  rename_durably(temporary, path);
  guard.keep();
}

void publish_directory(const std::string& path,
                       const std::function<void(const std::string& temporary)>& write) {
  const std::string target = without_trailing_slash(path);
  if (exists(target)) {
    throw Error(target + ": exists already; a folder is published once", Exit::failed);
  }
  const std::string temporary = temporary_for(target);
  TemporaryGuard guard(temporary);
  create_directories(temporary);
  write(temporary);
  sync_folder(temporary);
  rename_durably(temporary, target);
  guard.keep();
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail_with_errno(path, "removal", error.value());
}

void remove_stale_temporaries(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> stale;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (process_is_gone(entry.path().filename().string())) stale.push_back(entry.path().string());
  }
  for (const std::string& path : stale) remove_tree(path);
}

}  // namespace plumb::files
