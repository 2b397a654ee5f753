// LoRA's updates against Hu et al. 2021, eq. 3, in float64 with philox.h's masks, their gradients
// against central differences, which are exact for a product.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "core/ops/low_rank_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

constexpr uint64_t kSeed = 77;

struct Group {
  int64_t begin, end, column, out_width, rank;
  double scale;
  double p = 0;
  uint64_t id = 0;
  int64_t first_row = 0;
  bool has_gradients = true;
  std::vector<double> a = {}, b = {};
};

struct Case {
  int64_t rows, in_width, y_width;
  std::vector<Group> groups;
  std::vector<double> x = {}, base = {}, grad_y = {}, grad_base = {};
};

// Rows that no group has, an empty group, two linears under one another for the same rows; tiles
// that are not full in every direction.
Case mixed_adapters() {
  return {70,
          45,
          50,
          {{2, 8, 0, 33, 5, 2.0, 0.3, 9, 100},
           {8, 8, 0, 50, 4, 1.0},
           {10, 70, 3, 34, 3, 0.5, 0.0, 4, 0},
           {10, 70, 37, 13, 36, -1.5, 0.1, 4, 1000},
           {8, 10, 10, 7, 1, 1.0, 0.5, 1, 7, false}}};
}

template <class T>
std::vector<double> drawn(int64_t count, uint64_t seed, double scale = 1.0) {
  std::vector<double> result;
  for (const T value : normal_values<T>(count, seed, scale)) {
    result.push_back(value_of(value));
  }
  return result;
}

template <class T>
Case filled(Case test) {
  test.x = drawn<T>(test.rows * test.in_width, 210);
  test.base = drawn<T>(test.rows * test.y_width, 211);
  test.grad_y = drawn<T>(test.rows * test.y_width, 212);
  test.grad_base = drawn<T>(test.rows * test.in_width, 213);
  uint64_t seed = 214;
  for (Group& group : test.groups) {
    group.a = drawn<T>(group.rank * test.in_width, seed++, 0.3);
    group.b = drawn<T>(group.out_width * group.rank, seed++, 0.3);
  }
  return test;
}

// dropout.h's mask times 1 / (1 - p).
double mask_of(const Case& test, const Group& group, int64_t row, int64_t column) {
  const uint64_t e = (group.first_row + row - group.begin) * test.in_width + column;
  const auto words = random_words(kSeed, Stream::dropout, group.id, e / 4);
  return words[e % 4] >= static_cast<uint32_t>(group.p * 0x1p32) ? 1 / (1 - group.p) : 0;
}

std::vector<double> dropped(const Case& test, const Group& group) {
  std::vector<double> x;
  for (int64_t row = group.begin; row < group.end; ++row) {
    for (int64_t i = 0; i < test.in_width; ++i) {
      x.push_back(test.x[row * test.in_width + i] * mask_of(test, group, row, i));
    }
  }
  return x;
}

// Adds a group's update to y (N, y_width).
void add_update(const Case& test, const Group& group, std::vector<double>& y) {
  const std::vector<double> x = dropped(test, group);
  for (int64_t row = 0; row < group.end - group.begin; ++row) {
    for (int64_t r = 0; r < group.rank; ++r) {
      double narrow = 0;
      for (int64_t i = 0; i < test.in_width; ++i) {
        narrow += x[row * test.in_width + i] * group.a[r * test.in_width + i];
      }
      for (int64_t o = 0; o < group.out_width; ++o) {
        y[(group.begin + row) * test.y_width + group.column + o] +=
            group.scale * narrow * group.b[o * group.rank + r];
      }
    }
  }
}

double objective(const Case& test, const Group& group) {
  std::vector<double> y(test.base.size());
  add_update(test, group, y);
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    sum += y[i] * test.grad_y[i];
  }
  return sum;
}

template <class T>
std::vector<T> cast(const std::vector<double>& values) {
  std::vector<T> result;
  for (const double value : values) {
    result.push_back(as<T>(value));
  }
  return result;
}

template <class T>
struct Adapter {
  Adapter(const Case& test, const Group& of)
      : a(cast<T>(of.a), "a"),
        b(cast<T>(of.b), "b"),
        narrow((of.end - of.begin) * of.rank, "narrow"),
        grad_narrow((of.end - of.begin) * of.rank, "grad_narrow"),
        grad_a(of.rank * test.in_width, "grad_a"),
        grad_b(of.out_width * of.rank, "grad_b"),
        group{.begin = of.begin,
              .end = of.end,
              .column = of.column,
              .out_width = of.out_width,
              .rank = of.rank,
              .a = a.data(),
              .b = b.data(),
              .narrow = narrow.data(),
              .grad_narrow = grad_narrow.data(),
              .grad_a = of.has_gradients ? grad_a.data() : nullptr,
              .grad_b = of.has_gradients ? grad_b.data() : nullptr,
              .scale = of.scale,
              .dropout = low_rank_dropout(of.p, kSeed, of.id, of.first_row)} {}
  DeviceBuffer<T> a, b, narrow, grad_narrow, grad_a, grad_b;
  LowRankGroup group;
};

// All adapters of a case on the device, and the groups of a launch.
template <class T>
struct Device {
  explicit Device(const Case& test) : x(cast<T>(test.x), "x") {
    std::vector<LowRankGroup> host;
    for (const Group& group : test.groups) {
      adapters.push_back(std::make_unique<Adapter<T>>(test, group));
      host.push_back(adapters.back()->group);
      of.max_rows = std::max(of.max_rows, group.end - group.begin);
      of.max_rank = std::max(of.max_rank, group.rank);
      of.max_out = std::max(of.max_out, group.out_width);
    }
    groups.emplace(host, "groups");
    of.groups = groups->data();
    of.count = groups->size();
    of.in_width = test.in_width;
    of.dtype = dtype_of<T>;
  }
  DeviceBuffer<T> x;
  std::vector<std::unique_ptr<Adapter<T>>> adapters;
  std::optional<DeviceBuffer<LowRankGroup>> groups;
  LowRankGroups of;
};

template <class T>
class LowRankKernel : public testing::Test {};
TYPED_TEST_SUITE(LowRankKernel, Elements);

TYPED_TEST(LowRankKernel, UpdatesOfMixedAdapters) {
  using T = TypeParam;
  const Case test = filled<T>(mixed_adapters());
  std::vector<double> want = test.base;
  for (const Group& group : test.groups) {
    add_update(test, group, want);
  }
  expect_clean(run([&] {
    Device<T> device(test);
    DeviceBuffer<T> y(cast<T>(test.base), "y");
    launch_low_rank_forward({.of = device.of,
                             .x = device.x.data(),
                             .y = y.data(),
                             .x_stride = test.in_width,
                             .y_stride = test.y_width},
                            nullptr);
    // In bf16 x A^T is stored, and rounded.
    EXPECT_TRUE(all_near(y.host(), want, 1.01 * kRounding<T>, sizeof(T) == 2 ? 0.06 : 2e-5));
  }));
}

constexpr double kStep = 0.25;

template <class T>
void expect_slopes(Case& test, Group& group, std::vector<double>& moved,
                   const std::vector<T>& got) {
  for (size_t i = 0; i < moved.size(); i += 3) {
    const double kept = moved[i];
    moved[i] = kept + kStep;
    const double up = objective(test, group);
    moved[i] = kept - kStep;
    const double down = objective(test, group);
    moved[i] = kept;
    const double want = (up - down) / (2 * kStep);
    const double slack = sizeof(T) == 2 ? 0.15 : 4e-5;
    EXPECT_NEAR(value_of(got[i]), want, 1.01 * kRounding<T> * std::abs(want) + slack) << i;
  }
}

TYPED_TEST(LowRankKernel, GradientsOfMixedAdapters) {
  using T = TypeParam;
  Case test = filled<T>(mixed_adapters());
  std::vector<std::vector<T>> grads_a, grads_b;
  std::vector<T> grad_x;
  expect_clean(run([&] {
    Device<T> device(test);
    DeviceBuffer<T> y(cast<T>(test.base), "y"), grad_y(cast<T>(test.grad_y), "grad_y"),
        grad(cast<T>(test.grad_base), "grad_x");
    launch_low_rank_forward({.of = device.of,
                             .x = device.x.data(),
                             .y = y.data(),
                             .x_stride = test.in_width,
                             .y_stride = test.y_width},
                            nullptr);
    launch_low_rank_backward({.of = device.of,
                              .x = device.x.data(),
                              .grad_y = grad_y.data(),
                              .grad_x = nullptr,
                              .x_stride = test.in_width,
                              .grad_y_stride = test.y_width},
                             nullptr);
    grads_a.clear();
    grads_b.clear();
    for (const auto& adapter : device.adapters) {
      grads_a.push_back(adapter->grad_a.host());
      grads_b.push_back(adapter->grad_b.host());
    }
  }));
  for (size_t g = 0; g < test.groups.size(); ++g) {
    SCOPED_TRACE(g);
    Group& group = test.groups[g];
    if (group.has_gradients && group.end > group.begin) {
      expect_slopes(test, group, group.a, grads_a[g]);
      expect_slopes(test, group, group.b, grads_b[g]);
    }
  }
}

// Two linears may share x, so their groups go one after another: here each in a launch of its own.
TYPED_TEST(LowRankKernel, GradientOfTheInputIsAdded) {
  using T = TypeParam;
  Case all = filled<T>(mixed_adapters());
  for (const size_t g : {0, 2, 3}) {
    SCOPED_TRACE(g);
    Case test = all;
    test.groups = {all.groups[g]};
    std::vector<T> grad_x;
    expect_clean(run([&] {
      Device<T> device(test);
      DeviceBuffer<T> grad_y(cast<T>(test.grad_y), "grad_y"),
          grad(cast<T>(test.grad_base), "grad_x");
      std::vector<LowRankGroup> frozen = device.groups->host();
      frozen[0].grad_a = frozen[0].grad_b = nullptr;
      DeviceBuffer<LowRankGroup> groups(frozen, "groups");
      device.of.groups = groups.data();
      launch_low_rank_backward({.of = device.of,
                                .x = device.x.data(),
                                .grad_y = grad_y.data(),
                                .grad_x = grad.data(),
                                .x_stride = test.in_width,
                                .grad_y_stride = test.y_width,
                                .grad_x_stride = test.in_width},
                               nullptr);
      grad_x = grad.host();
    }));
    std::vector<T> added;
    for (size_t i = 0; i < grad_x.size(); ++i) {
      added.push_back(as<T>(value_of(grad_x[i]) - test.grad_base[i]));
    }
    Group& group = test.groups[0];
    expect_slopes(test, group, test.x, added);
  }
}

TEST(LowRankShapes, NothingIsLaunchedForNothing) {
  const Outcome outcome = run([] {
    launch_low_rank_forward({}, nullptr);
    launch_low_rank_backward({}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  EXPECT_THROW(low_rank_dropout(1.0, 0, 0, 0), Error);
}

}  // namespace
}  // namespace plumb::simt
