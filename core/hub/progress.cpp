#include "core/hub/progress.h"

#include <algorithm>
#include <cstdio>

namespace plumb::hub {

std::string human_bytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value,
                kUnits[unit]);
  return text;
}

DownloadProgress::DownloadProgress(bool is_shown, std::uint64_t total)
    : is_shown_(is_shown), total_(total) {}

DownloadProgress::~DownloadProgress() {
  clear();
}

void DownloadProgress::start_file(const std::string& name) {
  file_ = name;
}

void DownloadProgress::add(std::int64_t bytes) {
  done_ += bytes;
  came_ += std::max<std::int64_t>(bytes, 0);
  draw();
}

void DownloadProgress::skip(std::int64_t bytes) {
  done_ += bytes;
}

void DownloadProgress::grow(std::uint64_t more_bytes) {
  total_ += more_bytes;
}

void DownloadProgress::clear() {
  if (!is_shown_ || drawn_ == Clock::time_point{}) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = {};
}

// "  5.2 MB/s  4 s left"; empty until a rate can be told.
std::string DownloadProgress::rate_text(std::uint64_t done) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  if (seconds < 1 || came_ <= 0) return "";
  const double rate = static_cast<double>(came_) / seconds;
  const double left = static_cast<double>(total_ - std::min(total_, done)) / rate;
  char text[64];
  if (left < 100) {
    std::snprintf(text, sizeof(text), "  %.0f s left", left);
  } else {
    std::snprintf(text, sizeof(text), "  %.0f min left", left / 60);
  }
  return "  " + human_bytes(static_cast<std::uint64_t>(rate)) + "/s" + text;
}

void DownloadProgress::draw() {
  constexpr auto kInterval = std::chrono::milliseconds(200);
  const auto now = Clock::now();
  if (!is_shown_ || now - drawn_ < kInterval) return;
  drawn_ = now;
  const auto done = static_cast<std::uint64_t>(std::max<std::int64_t>(done_, 0));
  std::fprintf(stderr, "\r\033[K  %s  %s of %s%s", file_.c_str(), human_bytes(done).c_str(),
               human_bytes(total_).c_str(), rate_text(done).c_str());
  std::fflush(stderr);
}

}  // namespace plumb::hub
