#include "core/ops/gemm_kernel.h"

#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>

#include "core/error.h"
#include "core/ops/attention_work.h"
#include "core/ops/gemm_tile.h"
#include "core/ops/shared_tasks.h"

namespace plumb::gemm_kernel {
namespace {

// So few rows do not pay for packing what can be read where it lies.
constexpr int64_t kUnpackedRows = 2 * kRows;
constexpr int64_t kTasksPerThread = 4;
// Multiply-adds, and elements to convert, that pay for waking another thread.
constexpr double kParallelWork = 1 << 19;
constexpr int64_t kConvertGrain = 1 << 16;

// What a thread keeps from task to task, so that nothing is allocated in the steady state.
template <class Number>
struct Workspace {
  std::vector<float> memory;
  std::vector<Units<typename Number::Unit>> left;  // of a pass's segments
  std::vector<Operands<Number>> packed;            // of each panel and segment
  std::vector<Operands<Number>> operands;          // those of a band, panel by panel
  std::vector<PanelOperands<Number>> panels;
  std::vector<int64_t> row_bounds;
};

// The left operands of a problem's terms.
template <class Number>
using LeftUnits = std::vector<Units<typename Number::Unit>>;

template <class Number>
class TaskRun {
 public:
  using Unit = typename Number::Unit;

  TaskRun(const Plan& plan, const LeftUnits<Number>& left, const Task& task,
          Workspace<Number>& space)
      : plan_(plan), problem_(*plan.problem), left_(left), task_(task), space_(space) {}

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
    int64_t units = 0;
    space_.left.clear();
    for (const Segment& segment : pass) {
      units += divide_up(segment.end - segment.begin, Number::kDepth);
      space_.left.push_back(left_[segment.term]);
      Units<Unit>& a = space_.left.back();
      a.data +=
          segment.begin / Number::kDepth * a.column - problem_.terms[segment.term].row * a.row;
    }
    auto* memory =
        reinterpret_cast<Unit*>(tile::aligned_floats(space_.memory, panels() * units * kPanel));
    space_.packed.clear();
    for (int64_t panel = task_.panel_begin; panel < task_.panel_end; ++panel) {
      for (std::size_t i = 0; i < pass.size(); ++i) {
        space_.packed.push_back(pack_segment(pass[i], panel * kPanel, memory));
        space_.packed.back().a = &space_.left[i];
        memory += space_.packed.back().units * kPanel;
      }
    }
  }

  // b stays null where the term adds nothing to the panel.
  Operands<Number> pack_segment(const Segment& segment, int64_t column, Unit* memory) const {
    const Term& term = problem_.terms[segment.term];
    Operands<Number> operands{nullptr, nullptr, kPanel,
                              divide_up(segment.end - segment.begin, Number::kDepth)};
    if (!meets(term, column)) {
      return operands;
    }
    const PanelSource source{term.b, column - term.column, term.columns, segment.begin,
                             segment.end};
    if constexpr (Number::kDepth == 1) {
      const bool few_rows = task_.row_end - task_.row_begin <= kUnpackedRows;
      if (few_rows && term.b.column == 1 && source.is_whole()) {
        operands.b = term.b.data + segment.begin * term.b.row + source.first;
        operands.b_stride = term.b.row;
        return operands;
      }
    }
    pack<Number>(source, memory);
    operands.b = memory;
    return operands;
  }

  void gather(const Pass& pass, int64_t row) {
    const auto segments = static_cast<int64_t>(pass.size());
    space_.operands.clear();
    space_.operands.reserve(space_.packed.size());  // pointers into it stay good
    space_.panels.clear();
    for (int64_t panel = 0; panel < panels(); ++panel) {
      const Operands<Number>* first = space_.operands.data() + space_.operands.size();
      int64_t count = 0;
      for (int64_t s = 0; s < segments; ++s) {
        const Term& term = problem_.terms[pass[s].term];
        const Operands<Number>& operands = space_.packed[panel * segments + s];
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
  const LeftUnits<Number>& left_;
  const Task& task_;
  Workspace<Number>& space_;
};

// Left operands as the kernel reads them: in place, or as copies that live here.
template <class Number>
class LeftOperands {
 public:
  LeftUnits<Number> of(const Problem& problem) {
    LeftUnits<Number> all;
    for (const Term& term : problem.terms) {
      all.push_back(of(term));
    }
    return all;
  }

 private:
  using Unit = typename Number::Unit;

  Units<Unit> of(const Term& term) {
    if constexpr (Number::kDepth == 1) {
      return {term.a.data, term.a.row, term.a.column};
    } else {
      const int64_t units = divide_up(term.depth, Number::kDepth);
      memory_.push_back(c10::GetCPUAllocator()->allocate(
          sizeof(Unit) * static_cast<std::size_t>(units * term.rows)));
      auto* to = static_cast<Unit*>(memory_.back().get());
      if (term.a.column == 1) {
        at::parallel_for(0, term.rows, std::max<int64_t>(1, kConvertGrain / term.depth),
                         [&](int64_t begin, int64_t end) {
                           convert_rows<Number>(term.a, term.depth, begin, end, to);
                         });
        return {to, units, 1};
      }
      at::parallel_for(0, units, std::max<int64_t>(1, kConvertGrain / term.rows),
                       [&](int64_t begin, int64_t end) {
                         convert_columns<Number>(term.a, term.rows, term.depth, begin, end, to);
                       });
      return {to, 1, term.rows};
    }
  }

  std::vector<at::DataPtr> memory_;
};

double work_of(const std::vector<Problem>& problems) {
  double work = 0;
  for (const Problem& problem : problems) {
    for (const Term& term : problem.terms) {
      work += static_cast<double>(term.rows * term.columns) * static_cast<double>(term.depth);
    }
  }
  return work;
}

template <class Number>
void run_in(const std::vector<Problem>& problems) {
  const int64_t threads = work_of(problems) < kParallelWork ? 1 : at::get_num_threads();
  LeftOperands<Number> operands;
  std::vector<LeftUnits<Number>> left;
  std::vector<Plan> plans;
  std::vector<Task> tasks;
  for (const Problem& problem : problems) {
    left.push_back(operands.of(problem));
    plans.push_back({&problem, passes_of(problem)});
    add_tasks(plans.back(), std::ssize(plans) - 1, {threads, kTasksPerThread}, tasks);
  }
  for_shared(threads, tasks, [&](const Task& task) {
    thread_local Workspace<Number> space;
    TaskRun<Number>(plans[task.problem], left[task.problem], task, space).run();
  });
}

}  // namespace

bool multiplies_bf16() {
  return kMultipliesBf16;
}

void run(const std::vector<Problem>& problems, Precision precision) {
  if (precision == Precision::f32) {
    return run_in<F32>(problems);
  }
#if defined(__AVX512BF16__)
  run_in<Bf16>(problems);
#else
  throw Error("gemm: this build has no bf16 products; ask multiplies_bf16() first", Exit::failed);
#endif
}

}  // namespace plumb::gemm_kernel
