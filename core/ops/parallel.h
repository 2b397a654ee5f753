// Rows of elementwise work over the threads of ATen's pool.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace plumb {

// A thread gets at least this many elements: below it, waking a thread costs more than the work.
constexpr int64_t kElementGrain = 16384;

// body(row) for every row in [0, rows); `width` elements of work a row.
template <class Body>
void for_rows(int64_t rows, int64_t width, const Body& body) {
  const int64_t grain = std::max<int64_t>(1, kElementGrain / std::max<int64_t>(1, width));
  at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      body(row);
    }
  });
}

}  // namespace plumb
