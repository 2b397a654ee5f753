// What a cache of files needs beside the two verbs of files.h: a file that was filled piece by
// piece takes its final name, and a name comes to point at a file. Both are atomic and durable.
#pragma once
#include <string>

namespace plumb::files {

// fsync of `from`, rename to `path` in the same file system, fsync of the folder. A file that was
// at `path` is replaced.
void move_into_place(const std::string& from, const std::string& path);

// `path` becomes a symbolic link that holds `target` (relative to the folder of `path`, or
// absolute). A file or link that was there is replaced; its folder must exist.
void publish_link(const std::string& path, const std::string& target);

}  // namespace plumb::files
