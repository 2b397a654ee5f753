// Activations against their papers' formulas in float64, slopes against central differences.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "core/ops/activation_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

constexpr KernelActivation kActivations[] = {KernelActivation::silu, KernelActivation::gelu,
                                             KernelActivation::gelu_tanh, KernelActivation::relu};

double activated(KernelActivation activation, double z) {
  switch (activation) {
    case KernelActivation::silu:
      return z / (1 + std::exp(-z));
    case KernelActivation::gelu:
      return z * 0.5 * std::erfc(-z / std::numbers::sqrt2);
    case KernelActivation::gelu_tanh:
      return 0.5 * z *
             (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (z + 0.044715 * z * z * z)));
    case KernelActivation::relu:
      return std::max(z, 0.0);
  }
  return 0;
}

double slope(KernelActivation activation, double z) {
  const double step = 1e-5;
  return (activated(activation, z + step) - activated(activation, z - step)) / (2 * step);
}

struct Case {
  int64_t rows, width;
  KernelActivation activation;
  bool is_gated;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const KernelActivation activation : kActivations) {
    for (const bool is_gated : {true, false}) {
      all.push_back({3, 64, activation, is_gated});
      all.push_back({5, 7, activation, is_gated});
    }
  }
  all.push_back({2, 4096, KernelActivation::silu, true});
  all.push_back({300, 8, KernelActivation::silu, true});
  all.push_back({1, 1, KernelActivation::gelu, true});
  return all;
}

template <class T>
struct Inputs {
  explicit Inputs(const Case& test)
      : gate_up(normal_values<T>(test.rows * test.width * (test.is_gated ? 2 : 1), 7, 3.0)),
        grad(normal_values<T>(test.rows * test.width, 8)),
        width(test.width),
        is_gated(test.is_gated) {}

  double gate(int64_t i) const { return value_of(gate_up[place(i)]); }
  double up(int64_t i) const { return is_gated ? value_of(gate_up[place(i) + width]) : 1.0; }
  int64_t place(int64_t i) const { return is_gated ? i / width * 2 * width + i % width : i; }
  int64_t size() const { return static_cast<int64_t>(grad.size()); }

  std::vector<T> gate_up, grad;
  int64_t width;
  bool is_gated;
};

// bf16: act(gate) and the product are each rounded.
template <class T>
constexpr double kTwice = 2.1 * kRounding<T> + 5e-7;

template <class T>
Outcome run_forward(const Case& test) {
  const Inputs<T> in(test);
  std::vector<double> want(in.grad.size());
  for (int64_t i = 0; i < in.size(); ++i) {
    want[i] = activated(test.activation, in.gate(i)) * in.up(i);
  }
  return run([&] {
    DeviceBuffer<T> gate_up(in.gate_up, "gate_up"), h(test.rows * test.width, "h");
    launch_activation_forward({.h = h.data(),
                               .gate_up = gate_up.data(),
                               .rows = test.rows,
                               .width = test.width,
                               .activation = test.activation,
                               .is_gated = test.is_gated,
                               .dtype = dtype_of<T>},
                              nullptr);
    EXPECT_TRUE(all_near(h.host(), want, kTwice<T>, 1e-6));
  });
}

template <class T>
Outcome run_backward(const Case& test) {
  const Inputs<T> in(test);
  std::vector<double> want_gate_up(in.gate_up.size()), want_h(in.grad.size());
  for (int64_t i = 0; i < in.size(); ++i) {
    const double grad = value_of(in.grad[i]), value = activated(test.activation, in.gate(i));
    want_h[i] = value * in.up(i);
    want_gate_up[in.place(i)] = grad * in.up(i) * slope(test.activation, in.gate(i));
    if (test.is_gated) {
      want_gate_up[in.place(i) + test.width] = grad * value;
    }
  }
  return run([&] {
    DeviceBuffer<T> gate_up(in.gate_up, "gate_up"), grad_h(in.grad, "grad_h");
    launch_activation_backward({.gate_up = gate_up.data(),
                                .grad_h = grad_h.data(),
                                .rows = test.rows,
                                .width = test.width,
                                .activation = test.activation,
                                .is_gated = test.is_gated,
                                .dtype = dtype_of<T>},
                               nullptr);
    EXPECT_TRUE(all_near(grad_h.host(), want_h, kTwice<T>, 1e-6));
    EXPECT_TRUE(all_near(gate_up.host(), want_gate_up, kTwice<T>, 3e-6));
  });
}

template <class T>
class ActivationKernel : public testing::Test {};
TYPED_TEST_SUITE(ActivationKernel, Elements);

TYPED_TEST(ActivationKernel, ForwardAndBackwardOfEveryCase) {
  for (const Case& test : cases()) {
    SCOPED_TRACE(testing::Message()
                 << test.rows << " x " << test.width << ", activation "
                 << static_cast<int>(test.activation) << (test.is_gated ? ", gated" : ""));
    expect_clean(run_forward<TypeParam>(test));
    expect_clean(run_backward<TypeParam>(test));
  }
}

TYPED_TEST(ActivationKernel, MovesItsFloor) {
  const Case test{4, 2048, KernelActivation::silu, true};
  const int64_t row = test.rows * test.width * static_cast<int64_t>(sizeof(TypeParam));
  expect_streaming(run_forward<TypeParam>(test), 3 * row);
  expect_streaming(run_backward<TypeParam>(test), 6 * row);
}

TEST(ActivationKernelShapes, NothingLaunchesNothing) {
  const Outcome outcome = run([] {
    launch_activation_forward({.rows = 0, .width = 8}, nullptr);
    launch_activation_backward({.rows = 8, .width = 0}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

// Large negative values: no NaN from 0 * inf.
TEST(ActivationKernelShapes, ExtremeValuesStayFinite) {
  for (const KernelActivation activation : kActivations) {
    expect_clean(run([&] {
      const std::vector<float> up{-200.0f, -100.0f, -20.0f, 0.0f, 20.0f, 100.0f, 200.0f, 1e4f};
      DeviceBuffer<float> gate_up(up, "up"), grad(std::vector<float>(8, 1.0f), "grad");
      launch_activation_backward({.gate_up = gate_up.data(),
                                  .grad_h = grad.data(),
                                  .rows = 1,
                                  .width = 8,
                                  .activation = activation,
                                  .is_gated = false},
                                 nullptr);
      for (const float value : gate_up.host()) {
        EXPECT_TRUE(std::isfinite(value));
      }
      EXPECT_FLOAT_EQ(grad.host()[7], 1e4f);
      EXPECT_NEAR(grad.host()[0], 0.0f, 1e-30);
    }));
  }
}

}  // namespace
}  // namespace plumb::simt
