#include "core/data/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace plumb {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(path + ": " + what);
}

// Before opening: opening a FIFO would wait for a writer.
struct stat regular_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) fail(path, "there is no such data file");
    fail(path, std::string("it cannot be looked at: ") + std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) fail(path, "it is a folder; name the data files in it");
  if (!S_ISREG(status.st_mode)) fail(path, "it is not a regular file; data are read twice");
  return status;
}

}  // namespace

FileStamp file_stamp(const std::string& path) {
  const struct stat status = regular_file(path);
  return {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

void InputFile::Closer::operator()(void* file) const {
  gzclose(static_cast<gzFile>(file));
}

InputFile::InputFile(const std::string& path) : path_(path) {
  regular_file(path);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path, std::string("it cannot be opened: ") + std::strerror(errno));
  file_.reset(gzdopen(descriptor, "rb"));
  if (!file_) {
    ::close(descriptor);
    fail(path, "there is no memory to read it");
  }
  gzbuffer(static_cast<gzFile>(file_.get()), 128 << 10);
}

std::size_t InputFile::read(char* buffer, std::size_t capacity) {
  const auto file = static_cast<gzFile>(file_.get());
  const int count = gzread(file, buffer, static_cast<unsigned>(capacity));
  int code = Z_OK;
  const char* message = gzerror(file, &code);
  if (code == Z_BUF_ERROR) fail(path_, "its gzip data stop in the middle; fetch the file again");
  if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
    fail(path_,
         std::string("it cannot be read: ") + (code == Z_ERRNO ? std::strerror(errno) : message));
  }
  return static_cast<std::size_t>(count);
}

std::int64_t InputFile::bytes_consumed() const {
  return gzoffset(static_cast<gzFile>(file_.get()));
}

}  // namespace plumb
