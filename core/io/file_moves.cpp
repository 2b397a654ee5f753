#include "core/io/file_moves.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/io/descriptor.h"
#include "core/io/file_write.h"

namespace plumb::files {

void move_into_place(const std::string& from, const std::string& path) {
  sync_and_close(open_retrying(from, O_RDONLY | O_CLOEXEC), from);
  rename_durably(from, path);
}

void publish_link(const std::string& path, const std::string& target) {
  const std::string temporary = temporary_for(path);
  if (::symlink(target.c_str(), temporary.c_str()) != 0) {
    fail_with_errno(path, "symlink to '" + target + "'", errno);
  }
  try {
    rename_durably(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace plumb::files
