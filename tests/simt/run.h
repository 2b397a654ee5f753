// How tests run kernels: the same body under several schedules, with every defect, the bits of
// every buffer and the traffic of every launch.
//
//   const Outcome outcome = run([&] {
//     DeviceBuffer<float> x(values, "x"), y(values.size(), "y");
//     launch_twice(...);                       // the product's own launcher
//     EXPECT_EQ(y.host(), wanted);
//   });
//   EXPECT_TRUE(outcome.clean()) << outcome.text();
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/simt/defect.h"
#include "tests/simt/runtime.h"
#include "tests/simt/schedule.h"
#include "tests/simt/traffic.h"

namespace plumb::simt {

// Whether a kernel is declared deterministic: the same bits whatever order threads run in.
enum class Bits { same, may_differ };

struct LaunchRecord {
  std::string kernel;          // as the launch is written
  const void* code = nullptr;  // the kernel's function: source_line.h gives its name
  LaunchShape shape;
  uint64_t shared_bytes = 0;  // static and dynamic, of a block
  Traffic traffic;
};

struct Outcome {
  std::vector<Defect> defects;
  std::vector<LaunchRecord> launches;  // of the first schedule

  bool clean() const { return defects.empty(); }
  bool has(DefectKind kind) const;
  std::string text() const;  // a line a defect
  Traffic traffic() const;   // of all launches
};

// Runs `body` forward, in reverse and shuffled. Buffers made in it start anew each time.
Outcome run(const std::function<void()>& body, Bits bits = Bits::same);
Outcome run_one(const std::function<void()>& body, const Schedule& schedule);

void add_launch(LaunchRecord record);
void add_contents(const std::string& buffer, const void* bytes, uint64_t count);

}  // namespace plumb::simt
