#include "tests/simt/run.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "tests/simt/machine.h"
#include "tests/simt/memory.h"

namespace plumb::simt {
namespace {

struct Contents {
  std::string buffer;
  std::string bytes;
  bool operator==(const Contents&) const = default;
};

// Of the schedule that runs.
std::vector<LaunchRecord> launches;
std::vector<Contents> contents;

void run_body(const std::function<void()>& body, const Schedule& schedule) {
  reset_device_memory();
  launches.clear();
  contents.clear();
  machine.schedule = schedule;
  machine.stamp = 1;
  machine.thread = nullptr;
  for (Warp& warp : machine.warps) {
    Traffic nothing;
    warp.traffic.count_into(nothing);
  }
  try {
    body();
  } catch (const LaunchStopped&) {  // what stopped it has been reported
  }
}

void compare(const std::vector<Contents>& first, const Schedule& schedule) {
  for (size_t i = 0; i < std::min(first.size(), contents.size()); ++i) {
    if (first[i] != contents[i]) {
      report_launch(DefectKind::unordered_bits, launches.empty() ? "" : launches.back().kernel,
                    "buffer '" + first[i].buffer + "' holds other bits under the " +
                        schedule_name(schedule) + " schedule than under the forward one");
      return;
    }
  }
}

void report_float_atomics() {
  for (const LaunchRecord& launch : launches) {
    if (launch.traffic.float_atomics != 0) {
      report_launch(DefectKind::unordered_bits, launch.kernel,
                    std::to_string(launch.traffic.float_atomics) +
                        " float atomics in a kernel declared deterministic");
    }
  }
}

}  // namespace

Outcome run(const std::function<void()>& body, Bits bits) {
  take_defects();
  Outcome outcome;
  std::vector<Contents> first;
  const Schedule schedules[] = {{Order::forward}, {Order::reverse}, {Order::shuffled, 1}};
  for (const Schedule& schedule : schedules) {
    run_body(body, schedule);
    if (schedule.order == Order::forward) {
      outcome.launches = launches;
      first = contents;
    } else if (bits == Bits::same) {
      compare(first, schedule);
    }
  }
  if (bits == Bits::same) {
    report_float_atomics();
  }
  outcome.defects = take_defects();
  return outcome;
}

Outcome run_one(const std::function<void()>& body, const Schedule& schedule) {
  take_defects();
  run_body(body, schedule);
  return {take_defects(), launches};
}

bool Outcome::has(DefectKind kind) const {
  for (const Defect& defect : defects) {
    if (defect.kind == kind) {
      return true;
    }
  }
  return false;
}

std::string Outcome::text() const {
  std::string text;
  for (const Defect& defect : defects) {
    text += defect.text() + "\n";
  }
  return text;
}

Traffic Outcome::traffic() const {
  Traffic all;
  for (const LaunchRecord& launch : launches) {
    all += launch.traffic;
  }
  return all;
}

void add_launch(LaunchRecord record) {
  launches.push_back(std::move(record));
}

void add_contents(const std::string& buffer, const void* bytes, uint64_t count) {
  contents.push_back({buffer, std::string(static_cast<const char*>(bytes), count)});
}

}  // namespace plumb::simt
