// What files.cpp and append_log.cpp share. Not for other folders.
#pragma once
#include <string>
#include <string_view>

namespace plumb::files {

int open_retrying(const std::string& path, int flags);
void write_all(int descriptor, const std::string& path, std::string_view bytes);
void sync_folder(const std::string& folder);
std::string parent_of(const std::string& path);

}  // namespace plumb::files
