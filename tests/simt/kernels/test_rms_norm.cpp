// RMSNorm kernels against Zhang & Sennrich 2019, eq. 4, and its derivative, in float64.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/ops/rms_norm_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

constexpr double kEps = 1e-5;

struct Shape {
  int64_t rows, width;
};
// One value, odd widths, one warp a row with a part of a block, blocks, the widest rows.
const Shape kShapes[] = {{1, 1},   {3, 8},    {5, 64},   {6, 100},  {7, 77},
                         {2, 513}, {3, 1024}, {2, 4096}, {1, 5001}, {1, 16384}};

template <class T>
class RmsNorm : public testing::Test {};
TYPED_TEST_SUITE(RmsNorm, Elements);

template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  std::vector<double> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    result[i] = value_of(values[i]);
  }
  return result;
}

double rms_of(const std::vector<double>& x, const Shape& shape, int64_t row) {
  double squares = 0;
  for (int64_t c = 0; c < shape.width; ++c) {
    squares += x[row * shape.width + c] * x[row * shape.width + c];
  }
  return std::sqrt(squares / static_cast<double>(shape.width) + kEps);
}

std::vector<double> normed(const std::vector<double>& x, const std::vector<double>& w,
                           const Shape& shape) {
  std::vector<double> y(x.size());
  for (int64_t row = 0; row < shape.rows; ++row) {
    const double rms = rms_of(x, shape, row);
    for (int64_t c = 0; c < shape.width; ++c) {
      y[row * shape.width + c] = x[row * shape.width + c] / rms * w[c];
    }
  }
  return y;
}

template <class T>
struct Inputs {
  explicit Inputs(const Shape& shape)
      : x(normal_values<T>(shape.rows * shape.width, 1, 2.0)),
        residual(normal_values<T>(shape.rows * shape.width, 2)),
        w(normal_values<T>(shape.width, 3)),
        grad_y(normal_values<T>(shape.rows * shape.width, 4)) {}
  std::vector<T> x, residual, w, grad_y;
};

template <class T>
Outcome run_forward(const Shape& shape, NormRounding rounding) {
  const Inputs<T> in(shape);
  const std::vector<double> want = normed(doubles(in.x), doubles(in.w), shape);
  return run([&] {
    DeviceBuffer<T> x(in.x, "x"), w(in.w, "w"), y(shape.rows * shape.width, "y");
    DeviceBuffer<float> rstd(shape.rows, "rstd");
    launch_rms_norm_forward({.y = y.data(),
                             .rstd = rstd.data(),
                             .x = x.data(),
                             .w = w.data(),
                             .rows = shape.rows,
                             .width = shape.width,
                             .eps = kEps,
                             .dtype = dtype_of<T>,
                             .rounding = rounding},
                            nullptr);
    EXPECT_TRUE(all_near(y.host(), want, 2.5 * kRounding<T> + 4e-7, 1e-30));
    const std::vector<float> scales = rstd.host();
    for (int64_t row = 0; row < shape.rows; ++row) {
      EXPECT_NEAR(scales[row] * rms_of(doubles(in.x), shape, row), 1.0, 1e-6);
    }
  });
}

TYPED_TEST(RmsNorm, ForwardOfEveryShape) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width);
    expect_clean(run_forward<TypeParam>(shape, NormRounding::before_weight));
    expect_clean(run_forward<TypeParam>(shape, NormRounding::after_weight));
  }
}

TYPED_TEST(RmsNorm, ForwardMovesItsFloor) {
  const Shape shape{4, 4096};
  const int64_t bytes = static_cast<int64_t>(sizeof(TypeParam));
  const Outcome outcome = run_forward<TypeParam>(shape, NormRounding::before_weight);
  expect_streaming(outcome, 2 * shape.rows * shape.width * bytes + shape.width * bytes + 16);
  // Each row is read once: what is requested is what there is, and the weight once a row.
  EXPECT_EQ(outcome.traffic().bytes_read,
            static_cast<uint64_t>(2 * shape.rows * shape.width * bytes));
}

// In bf16, transformers' order of casts: to the bit.
TEST(RmsNormBits, LlamaAndGemmaRoundWhereTransformersDoes) {
  const Shape shape{4, 256};
  const Inputs<__nv_bfloat16> in(shape);
  for (const NormRounding rounding : {NormRounding::before_weight, NormRounding::after_weight}) {
    expect_clean(run([&] {
      DeviceBuffer<__nv_bfloat16> x(in.x, "x"), w(in.w, "w"), y(shape.rows * shape.width, "y");
      DeviceBuffer<float> rstd(shape.rows, "rstd");
      launch_rms_norm_forward({.y = y.data(),
                               .rstd = rstd.data(),
                               .x = x.data(),
                               .w = w.data(),
                               .rows = shape.rows,
                               .width = shape.width,
                               .eps = kEps,
                               .dtype = KernelDtype::bf16,
                               .rounding = rounding},
                              nullptr);
      const std::vector<__nv_bfloat16> got = y.host();
      const std::vector<float> scales = rstd.host();
      for (int64_t i = 0; i < shape.rows * shape.width; ++i) {
        const float scaled = static_cast<float>(value_of(in.x[i])) * scales[i / shape.width];
        const double kept =
            rounding == NormRounding::before_weight ? value_of(as<__nv_bfloat16>(scaled)) : scaled;
        const float weighted =
            static_cast<float>(kept) * static_cast<float>(value_of(in.w[i % shape.width]));
        EXPECT_EQ(got[i].bits, as<__nv_bfloat16>(weighted).bits) << i;
      }
    }));
  }
}

TYPED_TEST(RmsNorm, TheResidualIsAddedFirst) {
  using T = TypeParam;
  for (const Shape& shape : {Shape{3, 64}, Shape{2, 2056}, Shape{3, 75}}) {
    const Inputs<T> in(shape);
    std::vector<T> sums(in.x.size());
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] = as<T>(static_cast<float>(value_of(in.x[i])) +
                      static_cast<float>(value_of(in.residual[i])));
    }
    const std::vector<double> want = normed(doubles(sums), doubles(in.w), shape);
    const Outcome outcome = run([&] {
      DeviceBuffer<T> x(in.x, "x"), residual(in.residual, "residual"), w(in.w, "w"),
          y(shape.rows * shape.width, "y");
      DeviceBuffer<float> rstd(shape.rows, "rstd");
      launch_rms_norm_forward({.y = y.data(),
                               .rstd = rstd.data(),
                               .sum = residual.data(),
                               .x = x.data(),
                               .residual = residual.data(),
                               .w = w.data(),
                               .rows = shape.rows,
                               .width = shape.width,
                               .eps = kEps,
                               .dtype = dtype_of<T>},
                              nullptr);
      EXPECT_TRUE(all_near(residual.host(), doubles(sums), 0, 0));
      EXPECT_TRUE(all_near(y.host(), want, 2.5 * kRounding<T> + 4e-7, 1e-30));
    });
    expect_clean(outcome);
    const int64_t bytes = static_cast<int64_t>(sizeof(T));
    EXPECT_EQ(outcome.traffic().unique_bytes(),
              static_cast<uint64_t>((4 * shape.rows + 1) * shape.width * bytes + 4 * shape.rows));
  }
}

struct Gradients {
  std::vector<double> x, w;
};

// From the quotient rule: with r = rms, dy_i/dx_j = w_i ([i = j] / r - x_i x_j / (C r^3)).
template <class T>
Gradients gradients(const Inputs<T>& in, const Shape& shape, bool with_residual) {
  const std::vector<double> x = doubles(in.x), w = doubles(in.w), g = doubles(in.grad_y);
  Gradients grad{std::vector<double>(x.size()), std::vector<double>(w.size())};
  for (int64_t row = 0; row < shape.rows; ++row) {
    const double rms = rms_of(x, shape, row);
    const int64_t at = row * shape.width;
    double inner = 0;
    for (int64_t i = 0; i < shape.width; ++i) {
      inner += g[at + i] * w[i] * x[at + i];
      grad.w[i] += g[at + i] * x[at + i] / rms;
    }
    for (int64_t j = 0; j < shape.width; ++j) {
      grad.x[at + j] = g[at + j] * w[j] / rms -
                       x[at + j] * inner / (static_cast<double>(shape.width) * rms * rms * rms) +
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
  std::vector<float> scales(shape.rows);
  for (int64_t row = 0; row < shape.rows; ++row) {
    scales[row] = static_cast<float>(1.0 / rms_of(doubles(in.x), shape, row));
  }
  return run([&] {
    DeviceBuffer<T> x(in.x, "x"), residual(in.residual, "grad_residual"), w(in.w, "w"),
        grad_y(in.grad_y, "grad_y"), grad_x(shape.rows * shape.width, "grad_x"),
        grad_w(shape.width, "grad_w");
    DeviceBuffer<float> rstd(scales, "rstd"),
        partial(norm_partials(shape.rows) * shape.width, "partial");
    launch_rms_norm_backward({.grad_x = grad_x.data(),
                              .grad_y = grad_y.data(),
                              .grad_residual = wanted.residual ? residual.data() : nullptr,
                              .x = x.data(),
                              .w = w.data(),
                              .rstd = rstd.data(),
                              .grad_w = wanted.weight ? grad_w.data() : nullptr,
                              .partial = wanted.weight ? partial.data() : nullptr,
                              .rows = shape.rows,
                              .width = shape.width,
                              .dtype = dtype_of<T>},
                             nullptr);
    EXPECT_TRUE(all_near(grad_x.host(), want.x, 1.01 * kRounding<T> + 1e-6, 2e-6));
    if (wanted.weight) {
      const double rows = std::sqrt(static_cast<double>(shape.rows));
      EXPECT_TRUE(all_near(grad_w.host(), want.w, 1.01 * kRounding<T> + 1e-6, 2e-6 * rows));
    }
  });
}

TYPED_TEST(RmsNorm, BackwardOfEveryShape) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width);
    expect_clean(run_backward<TypeParam>(shape, {.residual = false, .weight = false}));
    expect_clean(run_backward<TypeParam>(shape, {.residual = true, .weight = false}));
    if (shape.width <= 8192) {
      expect_clean(run_backward<TypeParam>(shape, {.residual = true, .weight = true}));
    }
  }
}

TYPED_TEST(RmsNorm, WeightGradientOfManyRows) {
  for (const Shape& shape : {Shape{300, 40}, Shape{257, 9}, Shape{1030, 16}, Shape{600, 520}}) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.width);
    expect_clean(run_backward<TypeParam>(shape, {.residual = false, .weight = true}));
  }
}

TYPED_TEST(RmsNorm, BackwardMovesItsFloor) {
  const Shape shape{4, 4096};
  const int64_t row = shape.width * static_cast<int64_t>(sizeof(TypeParam));
  expect_streaming(run_backward<TypeParam>(shape, {.residual = false, .weight = false}),
                   3 * shape.rows * row + row + 16);
  expect_streaming(run_backward<TypeParam>(shape, {.residual = true, .weight = false}),
                   4 * shape.rows * row + row + 16);
}

TEST(RmsNormShapes, NoRowsLaunchNothing) {
  const Outcome outcome = run([] {
    launch_rms_norm_forward({.width = 64}, nullptr);
    launch_rms_norm_backward({.width = 64}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

TEST(RmsNormShapes, RowsThatAreTooWideAreRefused) {
  EXPECT_THROW(launch_rms_norm_forward({.rows = 1, .width = 16388}, nullptr), Error);
}

}  // namespace
}  // namespace plumb::simt
