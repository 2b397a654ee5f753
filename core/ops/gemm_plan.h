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

// A block of the output, by one thread.
struct Task {
  int64_t problem;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
};

struct Plan {
  const Problem* problem;
  std::vector<Pass> passes;
};

// Of problem number `index`, at least about `wanted` where its size allows.
void add_tasks(const Plan& plan, int64_t index, int64_t wanted, std::vector<Task>& tasks);

}  // namespace plumb::gemm_kernel
