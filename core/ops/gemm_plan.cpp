#include "core/ops/gemm_plan.h"

#include <algorithm>

namespace plumb::gemm_kernel {
namespace {

// Depth that goes through the accumulators before they are added to the output.
constexpr int64_t kMaxDepth = 768;
constexpr int64_t kShallow = 256;
// Where blocks of depth begin: whole blocks to turn.
constexpr int64_t kDepthStep = 32;
// Packed panels of a task stay in the second-level cache.
constexpr int64_t kPackedFloats = 1 << 17;
constexpr int64_t kMinTaskRows = 128;

void add_segments(const Problem& problem, int64_t term, std::vector<Pass>& passes) {
  const int64_t depth = problem.terms[term].depth;
  const int64_t block = tile::round_up(
      divide_up(depth, std::max<int64_t>(1, divide_up(depth, kMaxDepth))), kDepthStep);
  for (int64_t begin = 0; begin < depth; begin += block) {
    passes.push_back({{term, begin, std::min(begin + block, depth)}});
  }
}

// Cuts [0, count) into about `parts`, in whole steps; body(begin, end).
template <class Body>
void for_parts(int64_t count, int64_t parts, int64_t step, const Body& body) {
  const int64_t size = std::max(step, tile::round_up(divide_up(count, parts), step));
  for (int64_t begin = 0; begin < count; begin += size) {
    body(begin, std::min(begin + size, count));
  }
}

}  // namespace

std::vector<Pass> passes_of(const Problem& problem) {
  std::vector<Pass> passes;
  std::vector<Pass> deep;
  for (int64_t term = 0; term < std::ssize(problem.terms); ++term) {
    const int64_t depth = problem.terms[term].depth;
    if (passes.empty()) {
      add_segments(problem, term, passes);
    } else if (depth <= kShallow) {
      passes.back().push_back({term, 0, depth});
    } else {
      add_segments(problem, term, deep);
    }
  }
  passes.insert(passes.end(), deep.begin(), deep.end());
  if (passes.empty()) {
    passes.emplace_back();  // that writes the addend
  }
  return passes;
}

int64_t depth_of(const Pass& pass) {
  int64_t depth = 0;
  for (const Segment& segment : pass) {
    depth += segment.end - segment.begin;
  }
  return depth;
}

void add_tasks(const Plan& plan, int64_t index, const Wanted& wanted, std::vector<Task>& tasks) {
  int64_t depth = 1;
  for (const Pass& pass : plan.passes) {
    depth = std::max(depth, depth_of(pass));
  }
  const int64_t panels = divide_up(plan.problem->columns, kPanel), rows = plan.problem->rows;
  const int64_t held = std::max<int64_t>(1, kPackedFloats / (depth * kPanel));
  const int64_t all = wanted.threads == 1 ? 1 : wanted.threads * wanted.tasks_per_thread;
  const int64_t most_row_parts = std::max<int64_t>(1, rows / kMinTaskRows);
  const int64_t shares = std::min(wanted.threads, most_row_parts);
  const int64_t groups =
      std::max(divide_up(panels, held), std::min(divide_up(panels, 2), divide_up(all, shares)));
  const int64_t row_parts = std::min(
      tile::round_up(std::max<int64_t>(1, divide_up(all, groups)), shares), most_row_parts);
  for_parts(rows, row_parts, kRows, [&](int64_t row_begin, int64_t row_end) {
    for_parts(panels, groups, 1, [&](int64_t panel_begin, int64_t panel_end) {
      const int64_t place =
          shares == 1 ? panel_begin * wanted.threads / panels : row_begin * wanted.threads / rows;
      tasks.push_back({place, index, row_begin, row_end, panel_begin, panel_end});
    });
  });
}

}  // namespace plumb::gemm_kernel
