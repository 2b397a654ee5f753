#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "core/error.h"
#include "core/io/descriptor.h"
#include "core/io/file_ops.h"
#include "core/io/file_write.h"
#include "core/io/files.h"

namespace plumb::files {

// O_APPEND: what is written lands at the end, wherever a cut has moved it.
constexpr int kLogFlags = O_WRONLY | O_APPEND | O_CLOEXEC;

AppendLog::AppendLog(std::string path, int descriptor, std::uint64_t size)
    : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

AppendLog::AppendLog(AppendLog&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

AppendLog& AppendLog::operator=(AppendLog&& other) noexcept {
  if (this != &other) {
    give_up();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    size_ = other.size_;
  }
  return *this;
}

AppendLog::~AppendLog() {
  give_up();
}

AppendLog AppendLog::create(const std::string& path) {
  if (exists(path)) {
    throw Error(path + ": exists already; a new log is not written over an old one", Exit::failed);
  }
  AppendLog log(path, open_retrying(path, kLogFlags | O_CREAT | O_EXCL), 0);
  sync_folder(parent_of(path));
  return log;
}

AppendLog AppendLog::open_at(const std::string& path, std::uint64_t size) {
  if (size == 0 && !exists(path)) return create(path);
  const std::uint64_t found = size_of(open_regular(path), path);
  if (found < size) {
    throw Error(path + ": holds " + std::to_string(found) + " bytes where the checkpoint counts " +
                std::to_string(size) + ": the log was cut or replaced since; resume needs it");
  }
  AppendLog log(path, open_retrying(path, kLogFlags), size);
  if (found > size && file_ops().ftruncate(log.descriptor_, static_cast<off_t>(size)) != 0) {
    fail_with_errno(path, "cut to " + std::to_string(size) + " bytes", errno);
  }
  return log;
}

void AppendLog::append(std::string_view record) {
  check_open();
  try {
    write_all(descriptor_, path_, record);
  } catch (...) {
    if (file_ops().ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) give_up();
    throw;
  }
  size_ += record.size();
}

void AppendLog::sync() {
  check_open();
  if (file_ops().fsync(descriptor_) == 0) return;
  const int reason = errno;
  give_up();
  fail_with_errno(path_, "fsync", reason);
}

std::uint64_t AppendLog::size() const {
  return size_;
}

void AppendLog::check_open() const {
  if (descriptor_ < 0) {
    throw Error(path_ +
                    ": an earlier write failed, so this log takes no more records; resume "
                    "from the last checkpoint",
                Exit::failed);
  }
}

void AppendLog::give_up() {
  if (descriptor_ >= 0) file_ops().close(std::exchange(descriptor_, -1));
}

}  // namespace plumb::files
