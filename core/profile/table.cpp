#include <algorithm>
#include <cstdio>

#include "core/profile/recorder.h"

namespace plumb::profile {
namespace {

std::string duration(double seconds) {
  char text[32];
  if (seconds < 1e-3) {
    std::snprintf(text, sizeof text, "%.1f us", seconds * 1e6);
  } else if (seconds < 1) {
    std::snprintf(text, sizeof text, "%.2f ms", seconds * 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.2f s", seconds);
  }
  return text;
}

std::string row_of(const Total& total, double whole) {
  const std::string name = total.part.empty() ? total.name : total.name + ", " + total.part;
  char rate[24] = "";
  if (total.flops > 0 && total.seconds > 0) {
    std::snprintf(rate, sizeof rate, "%.1f", total.flops / total.seconds * 1e-9);
  }
  char text[160];
  std::snprintf(text, sizeof text, "  %-32s %9lld %11s %6.1f %% %11s %9s\n", name.c_str(),
                static_cast<long long>(total.calls), duration(total.self_seconds).c_str(),
                100 * total.self_seconds / std::max(whole, 1e-9),
                duration(total.seconds / static_cast<double>(total.calls)).c_str(), rate);
  return text;
}

}  // namespace

std::string table_of(const Recorder& recorder) {
  const double whole = recorder.seconds();
  char head[320];
  std::snprintf(head, sizeof head,
                "time by op, %s in all; self: without the ops inside it; mean: with them\n"
                "  %-32s %9s %11s %8s %11s %9s\n",
                duration(whole).c_str(), "op", "calls", "self", "share", "mean", "GFLOP/s");
  std::string table = head;
  for (const Total& total : recorder.totals()) table += row_of(total, whole);
  return table;
}

}  // namespace plumb::profile
