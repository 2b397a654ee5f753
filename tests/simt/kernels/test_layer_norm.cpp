// LayerNorm kernels against Ba et al. 2016, eq. 4, and its derivative, in float64.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/ops/layer_norm_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

constexpr double kEps = 1e-5;

struct Shape {
  int64_t rows, width;
  int64_t count() const { return rows * width; }
};
const Shape kShapes[] = {{1, 2},   {3, 8},    {5, 64},   {6, 100},  {7, 77},
                         {2, 513}, {3, 1024}, {2, 4096}, {1, 5001}, {1, 16384}};

template <class T>
struct Inputs {
  explicit Inputs(const Shape& shape)
      : x(normal_values<T>(shape.count(), 1, 2.0)),
        residual(normal_values<T>(shape.count(), 2)),
        w(normal_values<T>(shape.width, 3)),
        b(normal_values<T>(shape.width, 4)),
        grad_y(normal_values<T>(shape.count(), 5)) {
    for (T& value : x) {
      value = as<T>(value_of(value) + 3.0);  // a mean to take away
    }
  }
  std::vector<T> x, residual, w, b, grad_y;
};

struct Stats {
  double mean, deviation;
};

Stats stats_of(const std::vector<double>& x, const Shape& shape, int64_t row) {
  double sum = 0, squares = 0;
  const auto width = static_cast<double>(shape.width);
  for (int64_t c = 0; c < shape.width; ++c) {
    sum += x[row * shape.width + c];
  }
  for (int64_t c = 0; c < shape.width; ++c) {
    squares += std::pow(x[row * shape.width + c] - sum / width, 2);
  }
  return {sum / width, std::sqrt(squares / width + kEps)};
}

template <class T>
std::vector<double> normed(const std::vector<double>& x, const Inputs<T>& in, const Shape& shape) {
  std::vector<double> y(x.size());
  for (int64_t row = 0; row < shape.rows; ++row) {
    const Stats stats = stats_of(x, shape, row);
    for (int64_t c = 0; c < shape.width; ++c) {
      const int64_t i = row * shape.width + c;
      y[i] = (x[i] - stats.mean) / stats.deviation * value_of(in.w[c]) + value_of(in.b[c]);
    }
  }
  return y;
}

template <class T>
Outcome run_forward(const Shape& shape, bool with_residual) {
  const Inputs<T> in(shape);
  std::vector<double> sums(in.x.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    const double sum = value_of(in.x[i]) + (with_residual ? value_of(in.residual[i]) : 0.0);
    sums[i] = value_of(as<T>(sum));
  }
  const std::vector<double> want = normed(sums, in, shape);
  return run([&] {
    DeviceBuffer<T> x(in.x, "x"), residual(in.residual, "residual"), w(in.w, "w"), b(in.b, "b"),
        y(shape.count(), "y");
    DeviceBuffer<float> mean(shape.rows, "mean"), rstd(shape.rows, "rstd");
    launch_layer_norm_forward({.y = y.data(),
                               .mean = mean.data(),
                               .rstd = rstd.data(),
                               .sum = with_residual ? residual.data() : nullptr,
                               .x = x.data(),
                               .residual = with_residual ? residual.data() : nullptr,
                               .w = w.data(),
                               .b = b.data(),
                               .rows = shape.rows,
                               .width = shape.width,
                               .eps = kEps,
                               .dtype = dtype_of<T>},
                              nullptr);
    if (with_residual) {
      EXPECT_TRUE(all_near(residual.host(), sums, 0, 0));
    }
    EXPECT_TRUE(all_near(y.host(), want, 1.01 * kRounding<T> + 1e-6, 4e-6));
    for (int64_t row = 0; row < shape.rows; ++row) {
      const Stats stats = stats_of(sums, shape, row);
      EXPECT_NEAR(mean.host()[row], stats.mean, 1e-6 * (1 + std::abs(stats.mean)));
      EXPECT_NEAR(rstd.host()[row] * stats.deviation, 1.0, 1e-6);
    }
  });
}

struct Gradients {
  std::vector<double> x, w, b;
};

// With z = (x - m) / s: dz_i/dx_j = ([i = j] - 1/C - z_i z_j / C) / s.
template <class T>
Gradients gradients(const Inputs<T>& in, const Shape& shape, bool with_residual) {
  std::vector<double> x(in.x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = value_of(in.x[i]);
  }
  const auto width = static_cast<double>(shape.width);
  Gradients grad{std::vector<double>(x.size()), std::vector<double>(shape.width),
                 std::vector<double>(shape.width)};
  for (int64_t row = 0; row < shape.rows; ++row) {
    const Stats stats = stats_of(x, shape, row);
    const int64_t at = row * shape.width;
    double sum = 0, inner = 0;
    const auto z = [&](int64_t i) { return (x[at + i] - stats.mean) / stats.deviation; };
    const auto g = [&](int64_t i) { return value_of(in.grad_y[at + i]); };
    for (int64_t i = 0; i < shape.width; ++i) {
      sum += g(i) * value_of(in.w[i]);
      inner += g(i) * value_of(in.w[i]) * z(i);
      grad.w[i] += g(i) * z(i);
      grad.b[i] += g(i);
    }
    for (int64_t j = 0; j < shape.width; ++j) {
      grad.x[at + j] =
          (g(j) * value_of(in.w[j]) - sum / width - z(j) * inner / width) / stats.deviation +
          (with_residual ? value_of(in.residual[at + j]) : 0.0);
    }
  }
  return grad;
}

struct Wanted {
  bool residual, weight;
};

template <class T>
Outcome run_backward(const Shape& shape, const Wanted& wanted) {
  const Inputs<T> in(shape);
  const Gradients want = gradients(in, shape, wanted.residual);
  std::vector<float> means, scales;
  for (int64_t row = 0; row < shape.rows; ++row) {
    std::vector<double> x;
    for (int64_t c = 0; c < shape.width; ++c) {
      x.push_back(value_of(in.x[row * shape.width + c]));
    }
    const Stats stats = stats_of(x, {1, shape.width}, 0);
    means.push_back(static_cast<float>(stats.mean));
    scales.push_back(static_cast<float>(1.0 / stats.deviation));
  }
  return run([&] {
    DeviceBuffer<T> x(in.x, "x"), residual(in.residual, "grad_residual"), w(in.w, "w"),
        grad_y(in.grad_y, "grad_y"), grad_x(shape.count(), "grad_x"), grad_w(shape.width, "grad_w"),
        grad_b(shape.width, "grad_b");
    DeviceBuffer<float> mean(means, "mean"), rstd(scales, "rstd"),
        partial(2 * norm_partials(shape.rows) * shape.width, "partial");
    launch_layer_norm_backward({.grad_x = grad_x.data(),
                                .grad_y = grad_y.data(),
                                .grad_residual = wanted.residual ? residual.data() : nullptr,
                                .x = x.data(),
                                .w = w.data(),
                                .mean = mean.data(),
                                .rstd = rstd.data(),
                                .grad_w = wanted.weight ? grad_w.data() : nullptr,
                                .grad_b = wanted.weight ? grad_b.data() : nullptr,
                                .partial = wanted.weight ? partial.data() : nullptr,
                                .rows = shape.rows,
                                .width = shape.width,
                                .dtype = dtype_of<T>},
                               nullptr);
    EXPECT_TRUE(all_near(grad_x.host(), want.x, 1.01 * kRounding<T> + 1e-6, 5e-6));
    if (wanted.weight) {
      const double rows = std::sqrt(static_cast<double>(shape.rows));
      EXPECT_TRUE(all_near(grad_w.host(), want.w, 1.01 * kRounding<T> + 1e-6, 3e-6 * rows));
      EXPECT_TRUE(all_near(grad_b.host(), want.b, 1.01 * kRounding<T> + 1e-6, 3e-6 * rows));
    }
  });
}

template <class T>
class LayerNorm : public testing::Test {};
TYPED_TEST_SUITE(LayerNorm, Elements);

TYPED_TEST(LayerNorm, ForwardOfEveryShape) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width);
    expect_clean(run_forward<TypeParam>(shape, false));
    expect_clean(run_forward<TypeParam>(shape, true));
  }
}

TYPED_TEST(LayerNorm, BackwardOfEveryShape) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width);
    expect_clean(run_backward<TypeParam>(shape, {.residual = false, .weight = false}));
    if (shape.width <= 8192) {
      expect_clean(run_backward<TypeParam>(shape, {.residual = true, .weight = true}));
    }
  }
}

TYPED_TEST(LayerNorm, WeightGradientOfManyRows) {
  for (const Shape& shape : {Shape{300, 40}, Shape{257, 9}, Shape{520, 520}}) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width);
    expect_clean(run_backward<TypeParam>(shape, {.residual = false, .weight = true}));
  }
}

TYPED_TEST(LayerNorm, MovesItsFloor) {
  const Shape shape{4, 1024};
  const int64_t row = shape.width * static_cast<int64_t>(sizeof(TypeParam));
  expect_streaming(run_forward<TypeParam>(shape, false), 2 * shape.rows * row + 2 * row + 32);
  expect_streaming(run_forward<TypeParam>(shape, true), 4 * shape.rows * row + 2 * row + 32);
  expect_streaming(run_backward<TypeParam>(shape, {.residual = true, .weight = false}),
                   4 * shape.rows * row + row + 32);
}

TEST(LayerNormShapes, NoRowsLaunchNothing) {
  const Outcome outcome = run([] {
    launch_layer_norm_forward({.width = 64}, nullptr);
    launch_layer_norm_backward({.width = 64}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

}  // namespace
}  // namespace plumb::simt
