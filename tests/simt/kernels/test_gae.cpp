// The GAE scan against the definition as a sum (Schulman et al. 2016, eq. 16), in float64.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "core/ops/gae_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

// A_t = sum_l (gamma lambda)^l delta_{t + l}, each sum taken anew.
std::vector<double> advantages_of(const std::vector<float>& rewards,
                                  const std::vector<float>& values, const std::vector<int64_t>& cu,
                                  double gamma, double lambda) {
  std::vector<double> advantages(rewards.size());
  for (size_t b = 0; b + 1 < cu.size(); ++b) {
    for (int64_t t = cu[b]; t < cu[b + 1]; ++t) {
      for (int64_t l = 0; t + l < cu[b + 1]; ++l) {
        const int64_t s = t + l;
        const double next = s + 1 < cu[b + 1] ? values[s + 1] : 0.0;
        advantages[t] += std::pow(gamma * lambda, l) * (rewards[s] + gamma * next - values[s]);
      }
    }
  }
  return advantages;
}

struct Discount {
  float gamma, lambda;
};

Outcome run_gae(const std::vector<int64_t>& lengths, const Discount& by) {
  std::vector<int64_t> cu(lengths.size() + 1);
  std::partial_sum(lengths.begin(), lengths.end(), cu.begin() + 1);
  const std::vector<float> rewards_in = normal_values<float>(cu.back(), 12);
  const std::vector<float> values_in = normal_values<float>(cu.back(), 13);
  const std::vector<double> want = advantages_of(rewards_in, values_in, cu, by.gamma, by.lambda);
  return run([&] {
    DeviceBuffer<float> rewards(rewards_in, "rewards"), values(values_in, "values"),
        advantages(cu.back(), "advantages"), returns(cu.back(), "returns");
    DeviceBuffer<int64_t> cu_states(cu, "cu_states");
    launch_gae({.advantages = advantages.data(),
                .returns = returns.data(),
                .rewards = rewards.data(),
                .values = values.data(),
                .cu_states = cu_states.data(),
                .sequences = static_cast<int64_t>(lengths.size()),
                .gamma = by.gamma,
                .lambda = by.lambda},
               nullptr);
    EXPECT_TRUE(all_near(advantages.host(), want, 2e-6, 4e-5));
    const std::vector<float> got = returns.host();
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], want[i] + values_in[i], 5e-5 + 2e-6 * std::abs(want[i]));
    }
  });
}

TEST(GaeKernel, RaggedSequences) {
  for (const Discount by : {Discount{1.0f, 0.95f}, Discount{0.99f, 0.9f}, Discount{1.0f, 1.0f},
                            Discount{1.0f, 0.0f}, Discount{0.0f, 0.5f}}) {
    SCOPED_TRACE(testing::Message() << by.gamma << ", " << by.lambda);
    expect_clean(run_gae({1}, by));
    expect_clean(run_gae({5, 0, 32, 33, 1, 64, 200}, by));
    expect_clean(run_gae({31, 31, 31, 31, 31, 31, 31, 31, 2}, by));
  }
}

TEST(GaeKernel, NoSequencesLaunchNothing) {
  const Outcome outcome = run([] { launch_gae({}, nullptr); });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

}  // namespace
}  // namespace plumb::simt
