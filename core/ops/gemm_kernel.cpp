#include "core/ops/gemm_kernel.h"

#include <ATen/Parallel.h>

#include <atomic>

#include "core/ops/attention_work.h"
#include "core/ops/gemm_pack.h"

namespace plumb::gemm_kernel {
namespace {

using tile::Broadcast;

constexpr int kRows = tile::kManyRegisters ? 8 : 4;
// Depth that goes through the accumulators before they are added to the output.
constexpr int64_t kMaxDepth = 768;
constexpr int64_t kShallow = 256;
// Packed panels of a task stay in the second-level cache.
constexpr int64_t kPackedFloats = 1 << 17;
// So few rows do not pay for packing what can be read where it lies.
constexpr int64_t kUnpackedRows = 2 * kRows;
constexpr int64_t kMinTaskRows = 128;
constexpr int64_t kTasksPerThread = 4;
// Multiply-adds that pay for waking another thread.
constexpr double kParallelWork = 1 << 19;

int64_t divide_up(int64_t x, int64_t by) {
  return (x + by - 1) / by;
}

// Part of a term's depth.
struct Segment {
  const Term* term;
  int64_t begin, end;
};

// Segments that go through the accumulators together.
using Pass = std::vector<Segment>;

void add_segments(const Term& term, std::vector<Pass>& passes) {
  const int64_t blocks = divide_up(term.depth, kMaxDepth);
  for (int64_t block = 0; block < blocks; ++block) {
    passes.push_back({{&term, block * term.depth / blocks, (block + 1) * term.depth / blocks}});
  }
}

// The first term's blocks; shallow terms join the last of them, deep ones have passes of their own.
// Where a term goes does not depend on other terms than the first, so that the bits of rows under
// one adapter do not depend on the adapters of other rows.
std::vector<Pass> passes_of(const Problem& problem) {
  std::vector<Pass> passes;
  std::vector<Pass> deep;
  for (const Term& term : problem.terms) {
    if (passes.empty()) {
      add_segments(term, passes);
    } else if (term.depth <= kShallow) {
      passes.back().push_back({&term, 0, term.depth});
    } else {
      add_segments(term, deep);
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

// A block of the output, by one thread.
struct Task {
  int64_t problem;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
};

struct Plan {
  const Problem* problem;
  std::vector<Pass> passes;

  int64_t panels() const { return divide_up(problem->columns, kPanel); }
  int64_t depth() const {  // of the deepest pass
    int64_t most = 1;
    for (const Pass& pass : passes) {
      most = std::max(most, depth_of(pass));
    }
    return most;
  }
};

// Cuts [0, count) into `parts` as even as whole steps allow; body(begin, end).
template <class Body>
void for_parts(int64_t count, int64_t parts, int64_t step, const Body& body) {
  const int64_t size = std::max(step, tile::round_up(divide_up(count, parts), step));
  for (int64_t begin = 0; begin < count; begin += size) {
    body(begin, std::min(begin + size, count));
  }
}

void add_tasks(const Plan& plan, int64_t index, int64_t wanted, std::vector<Task>& tasks) {
  const int64_t panels = plan.panels(), rows = plan.problem->rows;
  const int64_t held = std::max<int64_t>(1, kPackedFloats / (plan.depth() * kPanel));
  const int64_t groups = std::max(divide_up(panels, held), std::min(divide_up(panels, 2), wanted));
  const int64_t row_parts =
      std::clamp(divide_up(wanted, groups), int64_t{1}, std::max<int64_t>(1, rows / kMinTaskRows));
  for_parts(panels, groups, 1, [&](int64_t panel_begin, int64_t panel_end) {
    for_parts(rows, row_parts, kRows, [&](int64_t row_begin, int64_t row_end) {
      tasks.push_back({index, row_begin, row_end, panel_begin, panel_end});
    });
  });
}

// One product of a tile: a(row 0, k) and the panel's b from k = 0 on.
struct Operands {
  Broadcast a;
  const float* b;
  int64_t b_stride;
  int64_t depth;
};

// The operands of one panel in a band of rows that has the same terms throughout.
struct PanelOperands {
  const Operands* first;
  int64_t count;
};

// A tile's place in the output, and what is there already.
struct Target {
  const Problem* problem;
  int64_t row, column;
  bool is_first;  // pass: the output holds nothing yet
};

// Rows from `before` on (null: none), `stride` apart, enter the sums.
template <int kTileRows, int kVecs>
PLUMB_INLINE void finish(Vec (&acc)[kTileRows][kVecs], float scale, const float* before,
                         int64_t stride) {
  for (int m = 0; m < kTileRows; ++m) {
    for (int i = 0; i < kVecs; ++i) {
      acc[m][i] *= broadcast(scale);
      if (before != nullptr) {
        acc[m][i] += load(before + m * stride + i * kLanes);
      }
    }
  }
}

template <int kTileRows, int kVecs>
PLUMB_INLINE void store_dense(const Target& t, Vec (&acc)[kTileRows][kVecs]) {
  const Problem& p = *t.problem;
  float* out = p.out + t.row * p.out_row + t.column;
  if (!t.is_first) {
    finish(acc, p.scale, out, p.out_row);
  } else if (p.addend != nullptr) {
    finish(acc, p.scale, p.addend + t.row * p.addend_row + t.column, p.addend_row);
  } else {
    finish(acc, p.scale, nullptr, 0);
  }
  for (int m = 0; m < kTileRows; ++m) {
    for (int i = 0; i < kVecs; ++i) {
      store(out + m * p.out_row + i * kLanes, acc[m][i]);
    }
  }
}

// Any width and strides.
template <int kTileRows, int kVecs>
void store_elements(const Target& t, Vec (&acc)[kTileRows][kVecs]) {
  const Problem& p = *t.problem;
  constexpr int kWidth = kVecs * kLanes;
  const int64_t width = std::min<int64_t>(kWidth, p.columns - t.column);
  float tile[kTileRows * kWidth] = {};
  float* out = p.out + t.row * p.out_row + t.column * p.out_column;
  for (int m = 0; m < kTileRows; ++m) {
    const float* addend = p.addend + (t.row + m) * p.addend_row + t.column;
    for (int64_t j = 0; j < width; ++j) {
      tile[m * kWidth + j] = !t.is_first           ? out[m * p.out_row + j * p.out_column]
                             : p.addend == nullptr ? 0.0f
                                                   : addend[j];
    }
  }
  finish(acc, p.scale, tile, kWidth);
  for (int m = 0; m < kTileRows; ++m) {
    for (int i = 0; i < kVecs; ++i) {
      store(tile + m * kWidth + i * kLanes, acc[m][i]);
    }
    for (int64_t j = 0; j < width; ++j) {
      out[m * p.out_row + j * p.out_column] = tile[m * kWidth + j];
    }
  }
}

template <int kTileRows, int kVecs>
void compute_tile(const PanelOperands& operands, const Target& t) {
  Vec acc[kTileRows][kVecs] = {};
  for (int64_t i = 0; i < operands.count; ++i) {
    const Operands& o = operands.first[i];
    tile::multiply({o.a.data + t.row * o.a.row, o.a.row, o.a.column}, o.b, o.b_stride, 0, o.depth,
                   acc);
  }
  const bool is_dense =
      t.problem->out_column == 1 && t.column + kVecs * kLanes <= t.problem->columns;
  if (is_dense) {
    store_dense(t, acc);
  } else {
    store_elements(t, acc);
  }
}

template <int kTileRows>
void compute_panel(const PanelOperands& operands, const Target& t) {
  const int64_t vecs = divide_up(t.problem->columns - t.column, kLanes);
  if (vecs >= 3) {
    compute_tile<kTileRows, 3>(operands, t);
  } else if (vecs == 2) {
    compute_tile<kTileRows, 2>(operands, t);
  } else {
    compute_tile<kTileRows, 1>(operands, t);
  }
}

// Tiles have 1, 2, 4 or kRows rows.
PLUMB_INLINE int64_t rows_at_once(int64_t rows) {
  return rows >= kRows ? kRows : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}

void compute_rows(int64_t rows, const PanelOperands& operands, const Target& t) {
  switch (rows) {
    case 1:
      return compute_panel<1>(operands, t);
    case 2:
      return compute_panel<2>(operands, t);
    case 4:
      return compute_panel<4>(operands, t);
    default:
      return compute_panel<kRows>(operands, t);
  }
}

// What a thread keeps from task to task, so that nothing is allocated in the steady state.
struct Workspace {
  std::vector<float> memory;
  std::vector<Operands> packed;    // of each panel and segment
  std::vector<Operands> operands;  // those of a band, panel by panel
  std::vector<PanelOperands> panels;
  std::vector<int64_t> row_bounds;
};

class TaskRun {
 public:
  TaskRun(const Plan& plan, const Task& task, Workspace& space)
      : plan_(plan), problem_(*plan.problem), task_(task), space_(space) {}

  void run() {
    find_row_bounds();
    bool is_first = true;
    for (const Pass& pass : plan_.passes) {
      pack_pass(pass);
      for (std::size_t i = 0; i + 1 < space_.row_bounds.size(); ++i) {
        gather(pass, space_.row_bounds[i]);
        compute_band(space_.row_bounds[i], space_.row_bounds[i + 1], is_first);
      }
      is_first = false;
    }
  }

 private:
  int64_t panels() const { return task_.panel_end - task_.panel_begin; }

  // Where a term begins or ends, within the task's rows.
  void find_row_bounds() {
    std::vector<int64_t>& bounds = space_.row_bounds;
    bounds.assign({task_.row_begin, task_.row_end});
    for (const Term& term : problem_.terms) {
      for (const int64_t bound : {term.row, term.row + term.rows}) {
        if (bound > task_.row_begin && bound < task_.row_end) {
          bounds.push_back(bound);
        }
      }
    }
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  }

  bool meets(const Term& term, int64_t column) const {
    return term.column < column + kPanel && column < term.column + term.columns &&
           term.row < task_.row_end && task_.row_begin < term.row + term.rows;
  }

  void pack_pass(const Pass& pass) {
    float* memory = tile::aligned_floats(space_.memory, panels() * depth_of(pass) * kPanel);
    space_.packed.clear();
    for (int64_t panel = task_.panel_begin; panel < task_.panel_end; ++panel) {
      for (const Segment& segment : pass) {
        space_.packed.push_back(pack_segment(segment, panel * kPanel, memory));
        memory += (segment.end - segment.begin) * kPanel;
      }
    }
  }

  // b stays null where the term adds nothing to the panel.
  Operands pack_segment(const Segment& segment, int64_t column, float* memory) const {
    const Term& term = *segment.term;
    const int64_t depth = segment.end - segment.begin;
    const View& a = term.a;
    const float* left = a.data + segment.begin * a.column - term.row * a.row;
    Operands operands{{left, a.row, a.column}, nullptr, kPanel, depth};
    if (!meets(term, column)) {
      return operands;
    }
    const PanelSource source{term.b, column - term.column, term.columns, segment.begin,
                             segment.end};
    const bool few_rows = task_.row_end - task_.row_begin <= kUnpackedRows;
    if (few_rows && term.b.column == 1 && source.is_whole()) {
      operands.b = term.b.data + segment.begin * term.b.row + source.first;
      operands.b_stride = term.b.row;
      return operands;
    }
    pack(source, memory);
    operands.b = memory;
    return operands;
  }

  void gather(const Pass& pass, int64_t row) {
    const auto segments = static_cast<int64_t>(pass.size());
    space_.operands.clear();
    space_.operands.reserve(space_.packed.size());  // pointers into it stay good
    space_.panels.clear();
    for (int64_t panel = 0; panel < panels(); ++panel) {
      const Operands* first = space_.operands.data() + space_.operands.size();
      int64_t count = 0;
      for (int64_t s = 0; s < segments; ++s) {
        const Term& term = *pass[s].term;
        const Operands& operands = space_.packed[panel * segments + s];
        if (operands.b != nullptr && term.row <= row && row < term.row + term.rows) {
          space_.operands.push_back(operands);
          ++count;
        }
      }
      space_.panels.push_back({first, count});
    }
  }

  void compute_band(int64_t begin, int64_t end, bool is_first) {
    for (int64_t row = begin; row < end;) {
      const int64_t rows = rows_at_once(end - row);
      for (int64_t panel = 0; panel < panels(); ++panel) {
        const int64_t column = (task_.panel_begin + panel) * kPanel;
        compute_rows(rows, space_.panels[panel], {&problem_, row, column, is_first});
      }
      row += rows;
    }
  }

  const Plan& plan_;
  const Problem& problem_;
  const Task& task_;
  Workspace& space_;
};

double work_of(const Problem& problem) {
  double work = 0;
  for (const Term& term : problem.terms) {
    work += static_cast<double>(term.rows * term.columns) * static_cast<double>(term.depth);
  }
  return work;
}

}  // namespace

void run(const std::vector<Problem>& problems) {
  double work = 0;
  for (const Problem& problem : problems) {
    work += work_of(problem);
  }
  const int64_t threads = work < kParallelWork ? 1 : at::get_num_threads();
  const int64_t wanted = threads == 1 ? 1 : kTasksPerThread * threads;
  std::vector<Plan> plans;
  std::vector<Task> tasks;
  for (const Problem& problem : problems) {
    plans.push_back({&problem, passes_of(problem)});
    add_tasks(plans.back(), std::ssize(plans) - 1, wanted, tasks);
  }
  std::atomic<std::size_t> next{0};
  const auto take_tasks = [&](int64_t, int64_t) {
    thread_local Workspace space;
    for (std::size_t i = next++; i < tasks.size(); i = next++) {
      TaskRun(plans[tasks[i].problem], tasks[i], space).run();
    }
  };
  const int64_t used = std::min<int64_t>(threads, std::ssize(tasks));
  if (used < 2) {
    take_tasks(0, 1);
  } else {
    at::parallel_for(0, used, 1, take_tasks);
  }
}

}  // namespace plumb::gemm_kernel
