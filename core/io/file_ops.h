// The system calls that files.cpp writes with, as a table, so that tests can fail the n-th of them.
// Each behaves as its namesake in POSIX (errno, EINTR, short writes).
#pragma once
#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>

namespace plumb::files {

struct FileOps {
  int (*open)(const char* path, int flags, mode_t mode);
  ssize_t (*write)(int descriptor, const void* bytes, std::size_t count);
  int (*fsync)(int descriptor);
  int (*ftruncate)(int descriptor, off_t size);
  int (*close)(int descriptor);
  int (*rename)(const char* from, const char* to);
  int (*mkdir)(const char* path, mode_t mode);
};

// The real calls.
extern const FileOps kSystemFileOps;

// What is in use. Replaced by tests alone, while no other thread writes.
FileOps& file_ops();

}  // namespace plumb::files
