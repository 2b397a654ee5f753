// The harness' run() on a GPU: the body some times, with the bits of its buffers compared. Races
// and traffic are the harness' own to find: there are no launches in the outcome.
#include "tests/simt/run.h"

#include <algorithm>
#include <utility>

#include "tests/simt/memory.h"

namespace plumb::simt {
namespace {

constexpr int kTimes = 3;

struct Contents {
  std::string buffer, bytes;
  bool operator==(const Contents&) const = default;
};
std::vector<Contents> contents;  // of the run so far

void compare(const std::vector<Contents>& first) {
  for (size_t i = 0; i < std::min(first.size(), contents.size()); ++i) {
    if (first[i] != contents[i]) {
      report_launch(DefectKind::unordered_bits, "",
                    "buffer '" + first[i].buffer + "' holds other bits the second time");
      return;
    }
  }
}

void run_body(const std::function<void()>& body) {
  reset_device_memory();
  contents.clear();
  body();
  wait_for_device();
}

}  // namespace

Outcome run(const std::function<void()>& body, Bits bits) {
  take_defects();
  std::vector<Contents> first;
  for (int time = 0; time < kTimes; ++time) {
    run_body(body);
    if (time == 0) {
      first = contents;
    } else if (bits == Bits::same) {
      compare(first);
    }
  }
  return {take_defects(), {}};
}

Outcome run_one(const std::function<void()>& body, const Schedule&) {
  take_defects();
  run_body(body);
  return {take_defects(), {}};
}

bool Outcome::has(DefectKind kind) const {
  return std::any_of(defects.begin(), defects.end(),
                     [kind](const Defect& defect) { return defect.kind == kind; });
}

std::string Outcome::text() const {
  std::string text;
  for (const Defect& defect : defects) {
    text += defect.text() + "\n";
  }
  return text;
}

Traffic Outcome::traffic() const {
  return {};
}

void add_launch(LaunchRecord) {}

void add_contents(const std::string& buffer, const void* bytes, uint64_t count) {
  contents.push_back({buffer, std::string(static_cast<const char*>(bytes), count)});
}

}  // namespace plumb::simt
