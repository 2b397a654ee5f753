// What files.cpp, append_log.cpp and file_moves.cpp share. Not for other folders.
#pragma once
#include <string>
#include <string_view>

namespace plumb::files {

int open_retrying(const std::string& path, int flags);
void write_all(int descriptor, const std::string& path, std::string_view bytes);
void sync_folder(const std::string& folder);
std::string parent_of(const std::string& path);
std::string temporary_for(const std::string& path);  // a name beside it that holds the process id
void sync_and_close(int descriptor, const std::string& path);
void rename_durably(const std::string& temporary, const std::string& path);

}  // namespace plumb::files
