// The state of the one launch that runs: threads as fibers, warps, the block's clock. One host
// thread runs everything, so nothing here is locked. Internal to the harness.
#pragma once
#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/simt/defect.h"
#include "tests/simt/runtime.h"
#include "tests/simt/schedule.h"
#include "tests/simt/traffic.h"

namespace plumb::simt {

inline constexpr uint32_t kWarpLanes = 32;
inline constexpr uint32_t kMostThreads = 1024;

enum class State : uint8_t { ready, at_barrier, at_warp, left };

struct AsyncCopy {
  void* to;
  const void* from;
  size_t bytes;
  const void* pc;
  uint32_t group;
};

struct Thread {
  boost::context::detail::fcontext_t context = nullptr;
  uintptr_t stack_begin = 0, stack_end = 0;
  uint3 index{};
  State state = State::left;
  BarrierOp barrier = BarrierOp::plain;
  int predicate = 0;
  const void* site = nullptr;  // of the call it waits in, or of the last one
  WarpCall call{};
  uint64_t result = 0;
  uint32_t async_group = 0;
  std::vector<AsyncCopy> copies;
};

// seen[a][b]: how many __syncwarp of lane b happened before what lane a does now.
struct Warp {
  uint32_t lanes = 0;    // that exist
  uint32_t ready = 0;    // may run
  uint32_t waiting = 0;  // in a collective
  std::array<std::array<uint32_t, kWarpLanes>, kWarpLanes> seen{};
  WarpTraffic traffic;
};

struct Machine {
  // Set when a thread is resumed.
  Thread* thread = nullptr;  // nullptr: no kernel runs
  Warp* warp = nullptr;
  uint32_t number = 0;  // of the thread in its block
  uint32_t lane = 0;
  boost::context::detail::fcontext_t scheduler = nullptr;
  bool is_observed = false;  // the kernel's own code runs, not the harness's
  bool fault = false;        // the thread cannot go on: its launch ends

  // Stamps (memory.h): of now, of the block's and of the launch's beginning.
  uint32_t stamp = 1, block_stamp = 1, launch_stamp = 1;

  std::string kernel;
  dim3 grid, shape;
  uint3 block_index{};
  uint64_t block = 0;
  size_t dynamic_bytes = 0;
  bool uses_dynamic = false;  // the kernel has asked where they are
  void (*body)(void*) = nullptr;
  void* arguments = nullptr;
  Schedule schedule;
  bool checks = true;  // off: only run

  uint32_t thread_count = 0, warp_count = 0;
  std::array<Thread, kMostThreads> threads;
  std::array<Warp, kMostThreads / kWarpLanes> warps;
  std::vector<std::pair<uint32_t, uint64_t>> block_stamps;  // stamp a block began with, block
  Traffic traffic;
};
extern Machine machine;

// Held by what kernels call. Inline functions of the standard library that kernel files instantiate
// too may be linked in their instrumented form, so the harness must not observe itself.
struct Unobserved {
  Unobserved() { machine.is_observed = false; }
  ~Unobserved() { machine.is_observed = machine.checks; }
};

// fibers.cpp
void prepare_fibers();            // all threads of a block at the beginning of the kernel
void resume(uint32_t number);     // until it waits or leaves
void suspend();                   // called by the running thread
[[noreturn]] void stop_launch();  // called by the running thread after a fault

// block.cpp
void run_block();

// warp.cpp
void finish_collective(Warp& warp, uint32_t first_thread, uint32_t mask);
void report_stuck();  // who waits for whom, when nobody can go on

Place place_of(uint32_t number, const void* pc, std::string what);
inline Place place_here(const void* pc, std::string what) {
  return place_of(machine.number, pc, std::move(what));
}
inline void report_here(DefectKind kind, Place at, std::string detail) {
  report({kind, machine.kernel, std::move(at), {}, std::move(detail)});
}

// Ends a launch that cannot go on; its defects have been reported.
struct LaunchStopped {};

}  // namespace plumb::simt
