// The head's kernels against softmax written out in float64; gradients against central differences
// of the loss, taken in float64 as well.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "core/ops/token_loss_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Case {
  int64_t rows, vocab, stride;
  double temperature = 1.0, softcap = 0.0;
};
const Case kCases[] = {{3, 64, 64},           {2, 1, 8},
                       {3, 77, 77},           {2, 1003, 1008},
                       {1, 5000, 5000},       {4, 96, 96, 0.7, 0.0},
                       {2, 96, 96, 1.0, 3.0}, {2, 515, 520, 1.6, 5.0}};

struct Token {
  double logprob, entropy;
};

// log softmax[target] and -sum p log p of cap(z) / temperature.
Token token_of(const std::vector<double>& logits, int64_t target, const Case& test) {
  std::vector<double> z(logits);
  double peak = -1e300, sum = 0, entropy = 0;
  for (double& value : z) {
    value = (test.softcap > 0 ? test.softcap * std::tanh(value / test.softcap) : value) /
            test.temperature;
    peak = std::max(peak, value);
  }
  for (const double value : z) {
    sum += std::exp(value - peak);
  }
  for (const double value : z) {
    const double log_p = value - peak - std::log(sum);
    entropy -= std::exp(log_p) * log_p;
  }
  return {z[target] - peak - std::log(sum), entropy};
}

template <class T>
struct Inputs {
  explicit Inputs(const Case& test)
      : logits(normal_values<T>(test.rows * test.stride, 9, 2.0)), targets(test.rows) {
    for (int64_t row = 0; row < test.rows; ++row) {
      targets[row] = (row * 31 + 5) % test.vocab;
    }
  }
  std::vector<double> row(const Case& test, int64_t row) const {
    std::vector<double> values(test.vocab);
    for (int64_t j = 0; j < test.vocab; ++j) {
      values[j] = value_of(logits[row * test.stride + j]);
    }
    return values;
  }
  std::vector<T> logits;
  std::vector<int64_t> targets;
};

using TokenLossOf = std::function<double(int64_t row, const Token&)>;
using Launch = std::function<void(const HeadRows&)>;

// Central differences through the float64 head.
template <class T>
std::vector<double> gradient(const Case& test, const Inputs<T>& in, const TokenLossOf& loss) {
  std::vector<double> grad(in.logits.size());
  constexpr double kStep = 1e-4;
  for (size_t i = 0; i < grad.size(); ++i) {
    grad[i] = value_of(in.logits[i]);  // padding stays as it is
  }
  for (int64_t row = 0; row < test.rows; ++row) {
    std::vector<double> logits = in.row(test, row);
    const int64_t step_over = test.vocab > 600 ? 7 : 1;
    for (int64_t j = 0; j < test.vocab; ++j) {
      const bool is_checked = j % step_over == 0 || j == in.targets[row];
      double& slot = grad[row * test.stride + j];
      if (in.targets[row] < 0 || !is_checked) {
        slot = in.targets[row] < 0 ? 0.0 : std::nan("");
        continue;
      }
      const double at = logits[j];
      logits[j] = at + kStep;
      const double above = loss(row, token_of(logits, in.targets[row], test));
      logits[j] = at - kStep;
      const double below = loss(row, token_of(logits, in.targets[row], test));
      logits[j] = at;
      slot = (above - below) / (2 * kStep);
    }
  }
  return grad;
}

template <class T>
void expect_gradient(const std::vector<T>& got, const std::vector<double>& want) {
  for (size_t i = 0; i < got.size(); ++i) {
    if (!std::isnan(want[i])) {
      ASSERT_NEAR(value_of(got[i]), want[i], 1.01 * kRounding<T> * std::abs(want[i]) + 1e-6) << i;
    }
  }
}

// Runs `launch`, and checks results and, where `loss` is given, the gradient.
template <class T>
Outcome run_head(const Case& test, const Inputs<T>& in, const Launch& launch,
                 const TokenLossOf& loss) {
  const std::vector<double> want = loss ? gradient(test, in, loss) : std::vector<double>();
  return run([&] {
    DeviceBuffer<T> logits(in.logits, "logits");
    DeviceBuffer<int64_t> targets(in.targets, "targets");
    DeviceBuffer<float> logprobs(test.rows, "logprobs"), entropy(test.rows, "entropy");
    launch({.logits = logits.data(),
            .targets = targets.data(),
            .logprobs = logprobs.data(),
            .entropy = entropy.data(),
            .rows = test.rows,
            .vocab = test.vocab,
            .row_stride = test.stride,
            .inverse_temperature = static_cast<float>(1.0 / test.temperature),
            .softcap = static_cast<float>(test.softcap),
            .dtype = dtype_of<T>});
    for (int64_t row = 0; row < test.rows; ++row) {
      const bool has_target = in.targets[row] >= 0;
      const Token token =
          has_target ? token_of(in.row(test, row), in.targets[row], test) : Token{0, 0};
      EXPECT_NEAR(logprobs.host()[row], token.logprob, 2e-6 * (1 + std::abs(token.logprob)));
      EXPECT_NEAR(entropy.host()[row], token.entropy, 4e-6);
    }
    if (loss) {
      expect_gradient(logits.host(), want);
    }
  });
}

template <class T>
class HeadKernel : public testing::Test {};
TYPED_TEST_SUITE(HeadKernel, Elements);

TYPED_TEST(HeadKernel, Stats) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.rows << " x " << test.vocab);
    expect_clean(run_head<TypeParam>(test, Inputs<TypeParam>(test),
                                     [](const HeadRows& head) { launch_head_stats(head, nullptr); },
                                     {}));
  }
}

TYPED_TEST(HeadKernel, CrossEntropyWithTokensLeftOut) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.rows << " x " << test.vocab);
    Inputs<TypeParam> in(test);
    in.targets[0] = -100;
    expect_clean(run_head<TypeParam>(
        test, in,
        [](const HeadRows& head) {
          DeviceBuffer<float> scale(std::vector<float>{0.25f}, "scale");
          launch_cross_entropy(head, scale.data(), nullptr);
        },
        [](int64_t, const Token& token) { return -0.25 * token.logprob; }));
  }
}

TYPED_TEST(HeadKernel, AnyGradient) {
  for (const Case& test : kCases) {
    SCOPED_TRACE(testing::Message() << test.rows << " x " << test.vocab);
    const std::vector<float> of_logprob = normal_values<float>(test.rows, 10);
    const std::vector<float> of_entropy = normal_values<float>(test.rows, 11);
    expect_clean(run_head<TypeParam>(
        test, Inputs<TypeParam>(test),
        [&](const HeadRows& head) {
          DeviceBuffer<float> logprob(of_logprob, "grad_logprobs");
          DeviceBuffer<float> entropy(of_entropy, "grad_entropy");
          launch_head_gradient(head, {logprob.data(), entropy.data()}, nullptr);
        },
        [&](int64_t row, const Token& token) {
          return of_logprob[row] * token.logprob + of_entropy[row] * token.entropy;
        }));
  }
}

struct Policy {
  std::vector<float> old_logprobs, advantages, ref_logprobs;
};

// Schulman et al. 2017, eq. 7, negated; Ye et al. 2020, eq. 5.
double policy_loss(const Policy& policy, const PolicyLossRows& loss, int64_t row,
                   const Token& token) {
  const double ratio = std::exp(token.logprob - policy.old_logprobs[row]);
  const double a = policy.advantages[row];
  double total = std::max(
      -a * ratio, -a * std::min(std::max(ratio, 1.0 - loss.cliprange), 1.0 + loss.cliprange));
  if (loss.dual_clip > 0 && a < 0) {
    total = std::min(total, -a * loss.dual_clip);
  }
  const double r = policy.ref_logprobs[row] - token.logprob;
  const double kl[] = {0, -r, 0.5 * r * r, std::exp(r) - 1 - r};
  total += loss.kl_coef * kl[static_cast<int>(loss.kl)] - loss.entropy_coef * token.entropy;
  return 0.125 * total;
}

// Old log-probabilities on all sides of the clips, with advantages of both signs.
template <class T>
Policy policy_of(const Case& test, const Inputs<T>& in) {
  Policy policy;
  const double gaps[] = {0.05, -0.05, 0.5, -0.5, 1.5, -1.5, 0.02, -0.9};
  for (int64_t row = 0; row < test.rows; ++row) {
    const double logprob = token_of(in.row(test, row), in.targets[row], test).logprob;
    policy.old_logprobs.push_back(static_cast<float>(logprob + gaps[row % 8]));
    policy.advantages.push_back(row % 3 == 0 ? 0.8f : -1.1f);
    policy.ref_logprobs.push_back(static_cast<float>(logprob - 0.3 + 0.1 * row));
  }
  return policy;
}

template <class T>
Outcome run_policy(const Case& test, PolicyLossRows loss) {
  const Inputs<T> in(test);
  const Policy policy = policy_of(test, in);
  return run_head<T>(
      test, in,
      [&](const HeadRows& head) {
        DeviceBuffer<float> old(policy.old_logprobs, "old"), advantages(policy.advantages, "adv"),
            ref(policy.ref_logprobs, "ref"), scale(std::vector<float>{0.125f}, "scale");
        loss.old_logprobs = old.data();
        loss.advantages = advantages.data();
        loss.ref_logprobs = ref.data();
        loss.scale = scale.data();
        launch_policy_head(head, loss, nullptr);
      },
      [&](int64_t row, const Token& token) { return policy_loss(policy, loss, row, token); });
}

TYPED_TEST(HeadKernel, PolicyLossWithEveryTerm) {
  const Case test{16, 40, 40};
  for (const KlTerm kl : {KlTerm::none, KlTerm::k1, KlTerm::k2, KlTerm::k3}) {
    PolicyLossRows loss;
    loss.kl = kl;
    loss.kl_coef = 0.3f;
    loss.entropy_coef = 0.2f;
    expect_clean(run_policy<TypeParam>(test, loss));
    loss.dual_clip = 2.0f;
    expect_clean(run_policy<TypeParam>(test, loss));
  }
}

TYPED_TEST(HeadKernel, MovesItsFloor) {
  const Case test{2, 8192, 8192};
  const Outcome outcome =
      run_head<TypeParam>(test, Inputs<TypeParam>(test),
                          [](const HeadRows& head) {
                            DeviceBuffer<float> scale(std::vector<float>{1.0f}, "scale");
                            launch_cross_entropy(head, scale.data(), nullptr);
                          },
                          {});
  const int64_t logits = test.rows * test.vocab * static_cast<int64_t>(sizeof(TypeParam));
  expect_streaming(outcome, 2 * logits);
  // Read twice (the second time from the L2 cache), written once.
  EXPECT_LE(outcome.traffic().requested_bytes(), static_cast<uint64_t>(3.01 * logits) + 256);
}

// Scores far from zero and impossible tokens: no NaN.
TEST(HeadKernelValues, MaskedAndLargeLogits) {
  const float inf = std::numeric_limits<float>::infinity();
  expect_clean(run([&] {
    DeviceBuffer<float> logits(std::vector<float>{-inf, 3e4f, -3e4f, 3e4f}, "logits");
    DeviceBuffer<int64_t> targets(std::vector<int64_t>{1}, "targets");
    DeviceBuffer<float> logprobs(1, "logprobs"), entropy(1, "entropy"),
        scale(std::vector<float>{1.0f}, "scale");
    launch_cross_entropy({.logits = logits.data(),
                          .targets = targets.data(),
                          .logprobs = logprobs.data(),
                          .entropy = entropy.data(),
                          .rows = 1,
                          .vocab = 4,
                          .row_stride = 4},
                         scale.data(), nullptr);
    EXPECT_FLOAT_EQ(logprobs.host()[0], -std::log(2.0f));
    EXPECT_FLOAT_EQ(entropy.host()[0], std::log(2.0f));
    EXPECT_EQ(logits.host(), (std::vector<float>{0.0f, -0.5f, 0.0f, 0.5f}));
  }));
}

}  // namespace
}  // namespace plumb::simt
