// Parallel loops for work of microseconds: a decode step is a hundred products of which each takes
// less time than the kernel needs to wake a thread. Workers look for the next loop for some tens of
// microseconds before they sleep, so that a loop begins and ends in a fraction of one; ATen's pool
// either sleeps at once or never (OMP_WAIT_POLICY), which takes the cores from whoever else
// computes. A range whose worker has not come to it is run by the caller, so that a core taken by
// others costs its share and no waiting.
#pragma once
#include <algorithm>
#include <cstdint>

namespace plumb {

namespace detail {

// A loop's body without its type.
struct RangeCall {
  void (*call)(const void* body, int64_t begin, int64_t end);
  const void* body;
};

void spin_ranges(int64_t total, int64_t grain, const RangeCall& range);

}  // namespace detail

// body(begin, end) over ranges that make up [0, total), one a thread, on at most as many threads as
// at::get_num_threads() says; a range has at least `grain` items. Loops within loops, and loops of
// other threads meanwhile, run where they are. The first exception of a range is thrown again.
template <class Body>
void spin_for(int64_t total, int64_t grain, const Body& body) {
  if (total <= std::max<int64_t>(1, grain)) {
    if (total > 0) {
      body(int64_t{0}, total);
    }
    return;
  }
  detail::spin_ranges(total, grain,
                      {[](const void* untyped, int64_t begin, int64_t end) {
                         (*static_cast<const Body*>(untyped))(begin, end);
                       },
                       &body});
}

// body(row) for every row; `work`: about the multiply-adds of one.
constexpr int64_t kSpinGrain = 16384;

template <class Body>
void spin_rows(int64_t rows, int64_t work, const Body& body) {
  spin_for(rows, kSpinGrain / std::max<int64_t>(1, work), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      body(row);
    }
  });
}

}  // namespace plumb
