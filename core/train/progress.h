// What a person sees of a running stage, on stderr: one line redrawn in place on a terminal, a
// plain line every tenth of the way or 10 seconds elsewhere, nothing when quiet.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "core/train/human.h"

namespace plumb {

enum class ProgressStyle { automatic, bar, lines, quiet };

// What one step has to show.
struct ProgressValues {
  int64_t step = 0;            // steps done
  std::string label = "loss";  // "loss" or "reward"
  double value = 0.0;
  double tokens_per_second = 0;  // 0: not shown
};

class Progress {
 public:
  // total: steps of the stage; done: those already made before a resume.
  Progress(std::string stage, int64_t total, ProgressStyle style = ProgressStyle::automatic,
           int64_t done = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const ProgressValues& values);
  void note(const std::string& message);  // an info line that does not tear the bar
  void finish();                          // leaves the last state standing, with the time taken

 private:
  double seconds() const;
  double seconds_left() const;
  void draw();

  std::string stage_;
  int64_t total_, done_;
  ProgressStyle style_;
  std::chrono::steady_clock::time_point start_;
  double last_print_ = -1e9;
  int64_t last_tenth_ = 0;
  bool drawn_ = false, finished_ = false;
  ProgressValues last_;
};

// The parts, pure: at most `width` columns; and the plain line.
std::string progress_bar(const std::string& stage, int64_t total, const ProgressValues& values,
                         double seconds_left, int width);
std::string progress_text(const std::string& stage, int64_t total, const ProgressValues& values,
                          double seconds_left);

// The last line of a job: "sft done in 3 min 05 s, peak memory 512 MB; results in out/sft".
std::string summary_line(const std::string& job, double seconds, const std::string& where);

}  // namespace plumb
