#include "core/train/human.h"

#include <sys/resource.h>

#include <cmath>
#include <cstdio>

namespace plumb {
namespace {

std::string with_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
  return text;
}

}  // namespace

std::string human_duration(double seconds) {
  if (seconds < 59.5) return with_digits(seconds) + " s";
  const auto whole = static_cast<long long>(std::llround(seconds));
  char text[48];
  if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600, whole % 3600 / 60);
  }
  return text;
}

std::string human_bytes(double bytes) {
  if (bytes < 1e6) return with_digits(bytes / 1e3) + " kB";
  if (bytes < 1e9) return with_digits(bytes / 1e6) + " MB";
  return with_digits(bytes / 1e9) + " GB";
}

std::string human_count(double count) {
  char text[32];
  if (count < 999.5) {
    std::snprintf(text, sizeof text, "%.0f", count);
  } else if (count < 999.95e3) {
    std::snprintf(text, sizeof text, "%.1fk", count / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.1fM", count / 1e6);
  }
  return text;
}

int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;  // Linux counts kB
}

}  // namespace plumb
