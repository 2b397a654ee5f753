// The only door to spdlog: its fmt and LibTorch's own fmt must not meet in one file.
// Lines go to stderr; stdout is for results.
#pragma once
#include <string>

namespace plumb::log {

enum class Level { debug, info, warning, error };

void set_level(Level lowest);
void write(Level level, const std::string& message);

inline void debug(const std::string& message) {
  write(Level::debug, message);
}
inline void info(const std::string& message) {
  write(Level::info, message);
}
inline void warning(const std::string& message) {
  write(Level::warning, message);
}
inline void error(const std::string& message) {
  write(Level::error, message);
}

}  // namespace plumb::log
