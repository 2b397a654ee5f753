// The rotary kernel against rotations of complex numbers (Su et al. 2021, section 3.2.2), in
// float64, and in bf16 against transformers' order of rounding.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <vector>

#include "core/ops/rope_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Heads {
  int64_t tokens, heads, head_dim, rotary_dim;
  int64_t row_stride() const { return heads * head_dim; }
};
constexpr int64_t kPositions = 50;
// A model's head, a part of a head, odd halves, more packs than threads, one of all.
const Heads kShapes[] = {{3, 6, 128, 128}, {4, 3, 64, 16},     {2, 5, 20, 10},
                         {5, 40, 16, 16},  {1, 2, 4096, 4096}, {1, 1, 2, 2}};

struct Table {
  explicit Table(int64_t half) : cos(kPositions * half), sin(kPositions * half) {
    for (int64_t i = 0; i < kPositions * half; ++i) {
      const double angle =
          static_cast<double>(i / half) * std::pow(100.0, -static_cast<double>(i % half) / half);
      cos[i] = static_cast<float>(std::cos(angle));
      sin[i] = static_cast<float>(std::sin(angle));
    }
  }
  std::vector<float> cos, sin;
};

std::vector<int64_t> positions_of(const Heads& shape) {
  std::vector<int64_t> positions(shape.tokens);
  for (int64_t i = 0; i < shape.tokens; ++i) {
    positions[i] = (i * 17 + 3) % kPositions;
  }
  return positions;
}

// Value i of a head turned as the complex number (x_i, x_{i + R/2}).
template <class T>
std::vector<double> turned(const std::vector<T>& x, const Heads& shape, const Table& table,
                           Turn turn) {
  std::vector<double> y(x.size());
  const int64_t half = shape.rotary_dim / 2;
  const std::vector<int64_t> positions = positions_of(shape);
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = value_of(x[i]);
  }
  for (int64_t head = 0; head < shape.tokens * shape.heads; ++head) {
    for (int64_t i = 0; i < half; ++i) {
      const int64_t low = head * shape.head_dim + i, high = low + half;
      const int64_t angle = positions[head / shape.heads] * half + i;
      const std::complex<double> by(value_of(as<T>(table.cos[angle])),
                                    value_of(as<T>(table.sin[angle])));
      const std::complex<double> z = std::complex<double>(value_of(x[low]), value_of(x[high])) *
                                     (turn == Turn::forward ? by : std::conj(by));
      y[low] = z.real();
      y[high] = z.imag();
    }
  }
  return y;
}

template <class T>
Outcome run_rope(const Heads& shape, Turn turn, std::vector<T>& result) {
  const std::vector<T> values = normal_values<T>(shape.tokens * shape.row_stride(), 5);
  const Table table(shape.rotary_dim / 2);
  const std::vector<double> want = turned(values, shape, table, turn);
  return run([&] {
    DeviceBuffer<T> x(values, "x");
    DeviceBuffer<int64_t> rows(positions_of(shape), "rows");
    DeviceBuffer<float> cos(table.cos, "cos"), sin(table.sin, "sin");
    launch_rope({.x = x.data(),
                 .table_rows = rows.data(),
                 .cos = cos.data(),
                 .sin = sin.data(),
                 .tokens = shape.tokens,
                 .heads = shape.heads,
                 .rotary_dim = shape.rotary_dim,
                 .row_stride = shape.row_stride(),
                 .head_stride = shape.head_dim,
                 .turn = turn,
                 .dtype = dtype_of<T>},
                nullptr);
    result = x.host();
    // Each product and the sum may be off by a rounding; terms up to the values' size.
    EXPECT_TRUE(all_near(result, want, kRounding<T>, 12 * kRounding<T>));
  });
}

template <class T>
class RopeKernel : public testing::Test {};
TYPED_TEST_SUITE(RopeKernel, Elements);

TYPED_TEST(RopeKernel, TurnsEveryShapeBothWays) {
  std::vector<TypeParam> result;
  for (const Heads& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.heads << " heads of " << shape.head_dim);
    expect_clean(run_rope(shape, Turn::forward, result));
    expect_clean(run_rope(shape, Turn::backward, result));
  }
}

TYPED_TEST(RopeKernel, MovesItsFloor) {
  const Heads shape{8, 12, 128, 128};
  std::vector<TypeParam> result;
  const int64_t values = shape.tokens * shape.row_stride();
  expect_streaming(run_rope(shape, Turn::forward, result),
                   2 * values * static_cast<int64_t>(sizeof(TypeParam)) +
                       shape.tokens * (shape.rotary_dim * 4 + 8));
}

TEST(RopeBits, Bf16RoundsWhereTransformersDoes) {
  using T = __nv_bfloat16;
  const Heads shape{3, 4, 32, 32};
  std::vector<T> got;
  expect_clean(run_rope(shape, Turn::forward, got));
  const std::vector<T> x = normal_values<T>(shape.tokens * shape.row_stride(), 5);
  const Table table(16);
  const auto product = [](T a, float b) {
    return value_of(as<T>(value_of(a) * value_of(as<T>(b))));
  };
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const int64_t place = i % 32;
    const int64_t angle = positions_of(shape)[i / shape.row_stride()] * 16 + place % 16;
    // q * cos + rotate_half(q) * sin, each in bf16.
    const double rotated =
        place < 16 ? -product(x[i + 16], table.sin[angle]) : product(x[i - 16], table.sin[angle]);
    EXPECT_EQ(got[i].bits, as<T>(product(x[i], table.cos[angle]) + rotated).bits) << i;
  }
}

TEST(RopeStrides, OnlyTheNamedHeadsAreTurned) {
  // q and k of a packed row of 3 q, 2 k and 2 v heads; v and a gap stay as they are.
  const int64_t dim = 16, stride = 7 * dim + 8;
  const std::vector<float> values = normal_values<float>(2 * stride, 6);
  const Table table(dim / 2);
  expect_clean(run([&] {
    DeviceBuffer<float> x(values, "x"), cos(table.cos, "cos"), sin(table.sin, "sin");
    DeviceBuffer<int64_t> rows(std::vector<int64_t>{4, 9}, "rows");
    launch_rope({.x = x.data(),
                 .table_rows = rows.data(),
                 .cos = cos.data(),
                 .sin = sin.data(),
                 .tokens = 2,
                 .heads = 5,
                 .rotary_dim = dim,
                 .row_stride = stride,
                 .head_stride = dim},
                nullptr);
    const std::vector<float> got = x.host();
    for (int64_t i = 0; i < 2 * stride; ++i) {
      EXPECT_EQ(got[i] == values[i], i % stride >= 5 * dim) << i;
    }
  }));
}

TEST(RopeStrides, NothingLaunchesNothing) {
  const Outcome outcome = run([] { launch_rope({.heads = 2, .rotary_dim = 8}, nullptr); });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

}  // namespace
}  // namespace plumb::simt
