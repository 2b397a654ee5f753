// How far a download is, on one line of a terminal.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace plumb::hub {

std::string human_bytes(std::uint64_t bytes);  // "512 kB", "1.3 GB": powers of 1000

class DownloadProgress {
 public:
  // `is_shown`: write to stderr at all. `total`: bytes of all files.
  DownloadProgress(bool is_shown, std::uint64_t total);
  ~DownloadProgress();  // clears the line
  DownloadProgress(const DownloadProgress&) = delete;
  DownloadProgress& operator=(const DownloadProgress&) = delete;

  void start_file(const std::string& name);
  void add(std::int64_t bytes);         // that came; negative: that must come again
  void skip(std::int64_t bytes);        // that were there already: no part of the rate
  void clear();                         // before something else is written to the terminal
  void grow(std::uint64_t more_bytes);  // files that became known later

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  std::string rate_text(std::uint64_t done) const;

  bool is_shown_;
  std::uint64_t total_;
  std::int64_t done_ = 0;
  std::int64_t came_ = 0;
  std::string file_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point drawn_ = {};
};

}  // namespace plumb::hub
