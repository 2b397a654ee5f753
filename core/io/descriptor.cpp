#include "core/io/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace plumb::files {
namespace {

std::string space_note(const std::string& path, std::uint64_t bytes_needed) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  struct statvfs system {};
  std::string note = "; " + std::to_string(bytes_needed) + " bytes still to write";
  if (::statvfs(folder.c_str(), &system) == 0) {
    const std::uint64_t free = std::uint64_t{system.f_bavail} * system.f_frsize;
    note += ", " + std::to_string(free) + " free in '" + folder + "'";
  }
  return note + ": make room or write elsewhere";
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    descriptor_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  reset();
}

int Descriptor::release() {
  return std::exchange(descriptor_, -1);
}

void Descriptor::reset() {
  if (descriptor_ >= 0) ::close(release());
}

void fail_with_errno(const std::string& path, const std::string& operation, int error_number,
                     std::uint64_t bytes_needed) {
  std::string message = path + ": " + operation +
                        " failed: " + std::generic_category().message(error_number) + " (errno " +
                        std::to_string(error_number) + ")";
  if (error_number == ENOSPC || error_number == EDQUOT) message += space_note(path, bytes_needed);
  throw Error(message, Exit::failed);
}

Descriptor open_regular(const std::string& path) {
  if (path.find('\0') != std::string::npos) throw Error("'" + path + "': NUL byte in a file name");
  int opened = -1;
  do {
    opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (opened < 0 && errno == EINTR);
  if (opened < 0) {
    const std::string reason = std::generic_category().message(errno);
    throw Error(path + ": cannot be opened for reading: " + reason);
  }
  Descriptor file(opened);
  struct stat status {};
  if (::fstat(opened, &status) != 0) fail_with_errno(path, "fstat", errno);
  if (S_ISDIR(status.st_mode)) throw Error(path + ": is a folder; a file is needed here");
  if (!S_ISREG(status.st_mode)) {
    throw Error(path + ": is not a regular file (a FIFO, socket or device is not read)");
  }
  return file;
}

std::uint64_t size_of(const Descriptor& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_with_errno(path, "fstat", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void read_exactly(const Descriptor& file, const std::string& path, std::uint64_t offset,
                  void* destination, std::size_t count) {
  auto* out = static_cast<char*>(destination);
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got =
        ::pread(file.get(), out + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno(path, "read at byte " + std::to_string(offset + done), errno);
    if (got == 0) {
      throw Error(path + ": ends at byte " + std::to_string(offset + done) + " where " +
                  std::to_string(count - done) + " bytes more were expected: it was cut short");
    }
    done += static_cast<std::size_t>(got);
  }
}

}  // namespace plumb::files
