#include "core/io/file_ops.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace plumb::files {

const FileOps kSystemFileOps = {
    [](const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); },
    ::write,
    ::fsync,
    ::ftruncate,
    ::close,
    ::rename,
    ::mkdir,
};

FileOps& file_ops() {
  static FileOps ops = kSystemFileOps;
  return ops;
}

}  // namespace plumb::files
