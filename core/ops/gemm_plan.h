// How a problem is cut: its depth into passes over the output, its output into tasks.
#pragma once
#include <cstdint>
#include <vector>

#include "core/ops/gemm_pack.h"

namespace plumb::gemm_kernel {

constexpr int kRows = tile::kManyRegisters ? 8 : 4;

// Part of a term's depth; begins are even, so that pairs stay together.
struct Segment {
  int64_t term;
  int64_t begin, end;
};

// Segments that go through the accumulators together.
using Pass = std::vector<Segment>;

// The bits of rows under one adapter do not depend on the adapters of other rows: where a term goes
// does not depend on other terms than the first.
std::vector<Pass> passes_of(const Problem& problem);

int64_t depth_of(const Pass& pass);

// A block of the output, by one thread: `home`, unless another one has nothing left.
struct Task {
  int64_t home;
  int64_t problem;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
};

struct Plan {
  const Problem* problem;
  std::vector<Pass> passes;
};

// Tasks a thread where the size allows.
struct Wanted {
  int64_t threads;
  int64_t tasks_per_thread;
};

// Of problem number `index`. Rows are at home where the elementwise loops around a product have
// them (at::parallel_for: the first threads the first rows), since another core's cache is far.
void add_tasks(const Plan& plan, int64_t index, const Wanted& wanted, std::vector<Task>& tasks);

}  // namespace plumb::gemm_kernel
