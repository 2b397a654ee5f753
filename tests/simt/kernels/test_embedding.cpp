// The embedding's kernels against a loop over tokens in float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/ops/embedding_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Case {
  std::vector<int64_t> ids;
  int64_t vocab, width;
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
};

std::vector<int64_t> repeated(int64_t count, int64_t id) {
  std::vector<int64_t> ids(count, id);
  ids[count / 2] = 0;
  ids.back() = 2;
  return ids;
}

const std::vector<Case> kCases = {{{3, 1, 3, 0, 9, 3}, 10, 64},
                                  {{5}, 6, 1},
                                  {{4, 4, 2, 2, 2}, 5, 77},
                                  {repeated(100, 7), 8, 40},
                                  {{1, 0}, 2, 1032}};

// Tokens by id, and where each id's run begins.
struct Segments {
  explicit Segments(const std::vector<int64_t>& ids) : order(ids.size()) {
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return ids[a] < ids[b]; });
    for (size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || ids[order[i]] != ids[order[i - 1]]) {
        begins.push_back(static_cast<int64_t>(i));
        row_ids.push_back(ids[order[i]]);
      }
    }
    begins.push_back(static_cast<int64_t>(order.size()));
  }
  std::vector<int64_t> order, begins, row_ids;
};

template <class T>
Outcome run_forward(const Case& test) {
  const std::vector<T> rows = normal_values<T>(test.vocab * test.width, 30);
  std::vector<double> want;
  for (const int64_t id : test.ids) {
    for (int64_t c = 0; c < test.width; ++c) {
      want.push_back(value_of(rows[id * test.width + c]));
    }
  }
  return run([&] {
    DeviceBuffer<T> table(rows, "table"), out(test.tokens() * test.width, "out");
    DeviceBuffer<int64_t> ids(test.ids, "ids");
    launch_embedding_forward({.out = out.data(),
                              .table = table.data(),
                              .ids = ids.data(),
                              .tokens = test.tokens(),
                              .width = test.width,
                              .dtype = dtype_of<T>},
                             nullptr);
    EXPECT_TRUE(all_near(out.host(), want, 0, 0));
  });
}

template <class T>
Outcome run_backward(const Case& test) {
  const std::vector<T> grads = normal_values<T>(test.tokens() * test.width, 31);
  const std::vector<T> before = normal_values<T>(test.vocab * test.width, 32);
  std::vector<double> want;
  for (const T value : before) {
    want.push_back(value_of(value));
  }
  for (int64_t i = 0; i < test.tokens() * test.width; ++i) {
    want[test.ids[i / test.width] * test.width + i % test.width] += value_of(grads[i]);
  }
  const Segments by_id(test.ids);
  return run([&] {
    DeviceBuffer<T> table(before, "grad_table"), grad_out(grads, "grad_out");
    DeviceBuffer<int64_t> order(by_id.order, "order"), segments(by_id.begins, "segments"),
        row_ids(by_id.row_ids, "row_ids");
    launch_embedding_backward({.grad_table = table.data(),
                               .grad_out = grad_out.data(),
                               .order = order.data(),
                               .segments = segments.data(),
                               .row_ids = row_ids.data(),
                               .rows = static_cast<int64_t>(by_id.row_ids.size()),
                               .width = test.width,
                               .dtype = dtype_of<T>},
                              nullptr);
    EXPECT_TRUE(all_near(table.host(), want, 1.01 * kRounding<T>, 1e-5));
  });
}

template <class T>
class EmbeddingKernel : public testing::Test {};
TYPED_TEST_SUITE(EmbeddingKernel, Elements);

TYPED_TEST(EmbeddingKernel, ForwardAndBackward) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.tokens() << " tokens of width " << test.width);
    expect_clean(run_forward<TypeParam>(test));
    expect_clean(run_backward<TypeParam>(test));
  }
}

TYPED_TEST(EmbeddingKernel, MovesItsFloor) {
  const Case test{{3, 1, 4, 1, 5, 9, 2, 6}, 10, 1024};
  const int64_t row = test.width * static_cast<int64_t>(sizeof(TypeParam));
  expect_streaming(run_forward<TypeParam>(test), (7 + 8) * row + 64);
  expect_streaming(run_backward<TypeParam>(test), (8 + 2 * 7) * row + 3 * 64);
}

TEST(EmbeddingKernelShapes, NothingLaunchesNothing) {
  const Outcome outcome = run([] {
    launch_embedding_forward({.width = 8}, nullptr);
    launch_embedding_backward({.width = 8}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

}  // namespace
}  // namespace plumb::simt
