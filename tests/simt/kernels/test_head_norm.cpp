// The norm of heads against Zhang & Sennrich 2019, eq. 4, in float64, its gradients against the
// quotient rule.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/ops/head_norm_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

constexpr double kEps = 1e-6;

struct Case {
  int64_t rows, heads, head_dim;
  int64_t gap = 0;  // values between the heads of a token and the next token's

  int64_t stride() const { return heads * head_dim + gap; }
  int64_t size() const { return rows * stride(); }
  int64_t place(int64_t row, int64_t head) const { return row * stride() + head * head_dim; }
};

// One lane of values, whole packs, odd widths, strided tokens, more heads than a block has warps.
const Case kCases[] = {{3, 2, 1},     {5, 4, 64, 64}, {2, 10, 128}, {3, 3, 80, 8},  {2, 1, 256, 4},
                       {2, 2, 77, 3}, {1, 3, 300},    {2, 1, 512},  {1, 2, 510, 2}, {9, 8, 128, 1}};

template <class T>
class HeadNorm : public testing::Test {};
TYPED_TEST_SUITE(HeadNorm, Elements);

template <class T>
double rms_of(const Case& test, const std::vector<T>& x, int64_t at) {
  double squares = 0;
  for (int64_t d = 0; d < test.head_dim; ++d) {
    squares += value_of(x[at + d]) * value_of(x[at + d]);
  }
  return std::sqrt(squares / static_cast<double>(test.head_dim) + kEps);
}

// visit(place of the head) for every head.
template <class Visit>
void for_heads(const Case& test, const Visit& visit) {
  for (int64_t row = 0; row < test.rows; ++row) {
    for (int64_t head = 0; head < test.heads; ++head) {
      visit(test.place(row, head));
    }
  }
}

template <class T>
Outcome run_forward(const Case& test, NormRounding rounding) {
  const auto x_in = normal_values<T>(test.size(), 150, 2.0),
             w_in = normal_values<T>(test.head_dim, 151);
  std::vector<double> want(x_in.size());
  for (size_t i = 0; i < want.size(); ++i) {
    want[i] = value_of(x_in[i]);  // in place: what lies between is left alone
  }
  for_heads(test, [&](int64_t at) {
    const double rms = rms_of(test, x_in, at);
    for (int64_t d = 0; d < test.head_dim; ++d) {
      want[at + d] = value_of(x_in[at + d]) / rms * value_of(w_in[d]);
    }
  });
  return run([&] {
    DeviceBuffer<T> x(x_in, "x"), w(w_in, "w");
    launch_head_norm_forward({.y = x.data(),
                              .x = x.data(),
                              .w = w.data(),
                              .rows = test.rows,
                              .heads = test.heads,
                              .head_dim = test.head_dim,
                              .y_stride = test.stride(),
                              .x_stride = test.stride(),
                              .eps = static_cast<float>(kEps),
                              .dtype = dtype_of<T>,
                              .rounding = rounding},
                             nullptr);
    EXPECT_TRUE(all_near(x.host(), want, 2.5 * kRounding<T> + 4e-7, 1e-30));
  });
}

TYPED_TEST(HeadNorm, ForwardInPlace) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.rows << " x " << test.heads << " x " << test.head_dim);
    expect_clean(run_forward<TypeParam>(test, NormRounding::before_weight));
    expect_clean(run_forward<TypeParam>(test, NormRounding::after_weight));
  }
}

// Qwen3RMSNorm rounds before the weight, Gemma3RMSNorm after: to the bit.
TEST(HeadNormBits, RoundsWhereTransformersDoes) {
  const Case test{2, 3, 128};
  const auto x_in = normal_values<__nv_bfloat16>(test.size(), 152);
  const auto w_in = normal_values<__nv_bfloat16>(128, 153);
  for (const NormRounding rounding : {NormRounding::before_weight, NormRounding::after_weight}) {
    int64_t different = 0;
    expect_clean(run([&] {
      DeviceBuffer<__nv_bfloat16> x(x_in, "x"), w(w_in, "w"), y(test.size(), "y");
      launch_head_norm_forward({.y = y.data(),
                                .x = x.data(),
                                .w = w.data(),
                                .rows = 2,
                                .heads = 3,
                                .head_dim = 128,
                                .y_stride = 384,
                                .x_stride = 384,
                                .eps = static_cast<float>(kEps),
                                .dtype = KernelDtype::bf16,
                                .rounding = rounding},
                               nullptr);
      const auto got = y.host();
      different = 0;
      for_heads(test, [&](int64_t at) {
        const auto rstd = static_cast<float>(1 / rms_of(test, x_in, at));
        for (int64_t d = 0; d < 128; ++d) {
          const float normed = static_cast<float>(value_of(x_in[at + d])) * rstd;
          const double kept = rounding == NormRounding::before_weight
                                  ? value_of(as<__nv_bfloat16>(normed))
                                  : normed;
          different += got[at + d].bits != as<__nv_bfloat16>(kept * value_of(w_in[d])).bits;
        }
      });
    }));
    // rstd may differ in its last bit, and then a rounding here and there does.
    EXPECT_LE(different, 2);
  }
}

template <class T>
Outcome run_backward(const Case& test, bool with_weight) {
  const auto x_in = normal_values<T>(test.size(), 154, 2.0),
             w_in = normal_values<T>(test.head_dim, 155), g_in = normal_values<T>(test.size(), 156);
  std::vector<double> want(x_in.size()), want_w(w_in.size());
  for (size_t i = 0; i < want.size(); ++i) {
    want[i] = value_of(g_in[i]);
  }
  for_heads(test, [&](int64_t at) {
    const double rms = rms_of(test, x_in, at), dim = static_cast<double>(test.head_dim);
    double inner = 0;
    for (int64_t d = 0; d < test.head_dim; ++d) {
      const double x = value_of(x_in[at + d]), g = value_of(g_in[at + d]);
      inner += g * value_of(w_in[d]) * x;
      want_w[d] += g * x / rms;
    }
    for (int64_t d = 0; d < test.head_dim; ++d) {
      want[at + d] = value_of(g_in[at + d]) * value_of(w_in[d]) / rms -
                     value_of(x_in[at + d]) * inner / (dim * rms * rms * rms);
    }
  });
  return run([&] {
    DeviceBuffer<T> x(x_in, "x"), w(w_in, "w"), grad(g_in, "grad"), grad_w(test.head_dim, "grad_w");
    DeviceBuffer<float> partial(head_norm_partials(test.rows) * test.head_dim, "partial");
    launch_head_norm_backward({.grad = grad.data(),
                               .x = x.data(),
                               .w = w.data(),
                               .grad_w = with_weight ? grad_w.data() : nullptr,
                               .partial = with_weight ? partial.data() : nullptr,
                               .rows = test.rows,
                               .heads = test.heads,
                               .head_dim = test.head_dim,
                               .grad_stride = test.stride(),
                               .x_stride = test.stride(),
                               .eps = static_cast<float>(kEps),
                               .dtype = dtype_of<T>},
                              nullptr);
    EXPECT_TRUE(all_near(grad.host(), want, 1.01 * kRounding<T> + 1e-6, 2e-6));
    if (with_weight) {
      const double terms = std::sqrt(static_cast<double>(test.rows * test.heads));
      EXPECT_TRUE(all_near(grad_w.host(), want_w, 1.01 * kRounding<T> + 1e-6, 2e-6 * terms));
    }
  });
}

TYPED_TEST(HeadNorm, Backward) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.rows << " x " << test.heads << " x " << test.head_dim);
    expect_clean(run_backward<TypeParam>(test, false));
    expect_clean(run_backward<TypeParam>(test, true));
  }
}

TYPED_TEST(HeadNorm, WeightGradientOfManyTokens) {
  expect_clean(run_backward<TypeParam>({1030, 2, 16}, true));
  expect_clean(run_backward<TypeParam>({1500, 1, 7}, true));
}

TYPED_TEST(HeadNorm, MovesItsFloor) {
  const Case test{16, 8, 128};
  const int64_t bytes = test.size() * static_cast<int64_t>(sizeof(TypeParam));
  expect_streaming(run_forward<TypeParam>(test, NormRounding::before_weight), 2 * bytes + 512);
  expect_streaming(run_backward<TypeParam>(test, false), 3 * bytes + 512);
}

TEST(HeadNormShapes, AreRefusedOrEmpty) {
  const Outcome outcome = run([] {
    launch_head_norm_forward({.heads = 2, .head_dim = 64}, nullptr);
    launch_head_norm_backward({.rows = 3, .head_dim = 64}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  EXPECT_THROW(launch_head_norm_forward({.rows = 1, .heads = 1, .head_dim = 513}, nullptr), Error);
}

}  // namespace
}  // namespace plumb::simt
