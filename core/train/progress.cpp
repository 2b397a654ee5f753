#include "core/train/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/log.h"

namespace plumb {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 10.0;
constexpr int kWidestLine = 120;

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return std::min<int>(size.ws_col - 1, kWidestLine);  // the last column would wrap
  }
  return 79;
}

ProgressStyle resolved(ProgressStyle style) {
  if (style != ProgressStyle::automatic) return style;
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string(term) == "dumb";
  return isatty(STDERR_FILENO) && !dumb ? ProgressStyle::bar : ProgressStyle::lines;
}

std::string value_text(const ProgressValues& values) {
  char number[32];
  std::snprintf(number, sizeof number, "%.4g", values.value);
  return values.label + " " + number;
}

std::string bar_of(double fraction, int cells) {
  const int filled = std::clamp(static_cast<int>(fraction * cells), 0, cells);
  std::string bar = "[";
  for (int i = 0; i < cells; ++i) bar += i < filled ? '=' : i == filled ? '>' : ' ';
  return bar + "]";
}

}  // namespace

std::string progress_text(const std::string& stage, int64_t total, const ProgressValues& values,
                          double seconds_left) {
  std::string text = stage + "  " + std::to_string(values.step) + "/" + std::to_string(total) +
                     "  " + value_text(values);
  if (values.tokens_per_second > 0) {
    text += "  " + human_count(values.tokens_per_second) + " tok/s";
  }
  if (seconds_left >= 1) text += "  " + human_duration(seconds_left) + " left";
  return text;
}

std::string progress_bar(const std::string& stage, int64_t total, const ProgressValues& values,
                         double seconds_left, int width) {
  const std::string text = progress_text(stage, total, values, seconds_left);
  const int room = width - static_cast<int>(text.size()) - 3;  // brackets and a space
  if (room < 5) return text.substr(0, static_cast<std::size_t>(std::max(0, width)));
  const double fraction =
      total > 0 ? static_cast<double>(values.step) / static_cast<double>(total) : 1;
  const auto after_stage = stage.size() + 1;
  return text.substr(0, after_stage) + bar_of(fraction, std::min(room, 30)) +
         text.substr(after_stage);
}

std::string summary_line(const std::string& job, double seconds, const std::string& where) {
  return job + " done in " + human_duration(seconds) + ", peak memory " +
         human_bytes(static_cast<double>(peak_memory_bytes())) + "; results in " + where;
}

Progress::Progress(std::string stage, int64_t total, ProgressStyle style, int64_t done)
    : stage_(std::move(stage)),
      total_(total),
      done_(done),
      style_(resolved(style)),
      start_(std::chrono::steady_clock::now()),
      last_tenth_(total > 0 ? done * 10 / total : 0) {}

Progress::~Progress() {
  if (drawn_ && !finished_) std::fputc('\n', stderr);  // an error message starts a line of its own
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

double Progress::seconds_left() const {
  const int64_t made = last_.step - done_;
  if (made <= 0) return 0;
  return seconds() / static_cast<double>(made) * static_cast<double>(total_ - last_.step);
}

void Progress::draw() {
  const std::string line = progress_bar(stage_, total_, last_, seconds_left(), terminal_width());
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::update(const ProgressValues& values) {
  last_ = values;
  const double now = seconds();
  if (style_ == ProgressStyle::bar) {
    if (now - last_print_ < kRedrawSeconds && values.step < total_) return;
    last_print_ = now;
    draw();
  } else if (style_ == ProgressStyle::lines && values.step < total_) {  // finish says the last
    const int64_t tenth = total_ > 0 ? values.step * 10 / total_ : 0;
    if (tenth == last_tenth_ && now - last_print_ < kLineSeconds) return;
    last_tenth_ = tenth;
    last_print_ = now;
    log::info(progress_text(stage_, total_, values, seconds_left()));
  }
}

void Progress::note(const std::string& message) {
  if (style_ == ProgressStyle::quiet) return;
  if (drawn_) std::fprintf(stderr, "\r\x1b[K");
  log::info(message);
  if (drawn_) draw();
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (drawn_) std::fprintf(stderr, "\r\x1b[K");
  if (style_ == ProgressStyle::quiet) return;
  log::info(progress_text(stage_, total_, last_, 0) + "  in " + human_duration(seconds()));
}

}  // namespace plumb
