// Sums over rows whose bits do not depend on the number of threads.
#pragma once
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "core/ops/parallel.h"

namespace plumb {

constexpr int64_t kRowsPerPartial = 64;

// add(sum, row) adds row's part to sum[0, width) for every row in [0, rows): blocks of
// kRowsPerPartial rows in order, then the blocks. -> (width) of T.
template <class T, class Add>
at::Tensor sum_over_rows(int64_t rows, int64_t width, const at::TensorOptions& options,
                         const Add& add) {
  const int64_t blocks = (rows + kRowsPerPartial - 1) / kRowsPerPartial;
  const at::Tensor partial = at::zeros({blocks, width}, options);
  T* sums = partial.mutable_data_ptr<T>();
  for_rows(blocks, kRowsPerPartial * width, [&](int64_t block) {
    const int64_t end = std::min(rows, (block + 1) * kRowsPerPartial);
    for (int64_t row = block * kRowsPerPartial; row < end; ++row) {
      add(sums + block * width, row);
    }
  });
  return partial.sum(0);
}

}  // namespace plumb
