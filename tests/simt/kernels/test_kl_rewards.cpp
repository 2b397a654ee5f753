// KL rewards against Schulman 2020 and Ziegler et al. 2019, eq. 2, in float64, and against TRL's
// PPOTrainer (make_ppo.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/ops/kl_rewards_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

std::vector<int64_t> offsets(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> cu(lengths.size() + 1);
  std::partial_sum(lengths.begin(), lengths.end(), cu.begin() + 1);
  return cu;
}

struct Case {
  std::vector<int64_t> lengths, states;
  std::vector<float> logprobs, ref_logprobs, scores;
  double coef;
  KlTerm estimator;
};

struct Result {
  std::vector<float> kl, rewards;
};

Outcome run_rewards(const Case& test, Result& result) {
  return run([&] {
    DeviceBuffer<float> logprobs(test.logprobs, "logprobs"), ref(test.ref_logprobs, "ref"),
        scores(test.scores, "scores"), kl(logprobs.size(), "kl"),
        rewards(offsets(test.states).back(), "rewards");
    DeviceBuffer<int64_t> cu_response(offsets(test.lengths), "cu_response"),
        cu_states(offsets(test.states), "cu_states");
    launch_kl_rewards({.rewards = rewards.data(),
                       .kl = kl.data(),
                       .logprobs = logprobs.data(),
                       .ref_logprobs = ref.data(),
                       .scores = scores.data(),
                       .cu_response = cu_response.data(),
                       .cu_states = cu_states.data(),
                       .sequences = static_cast<int64_t>(test.lengths.size()),
                       .coef = static_cast<float>(test.coef),
                       .estimator = test.estimator},
                      nullptr);
    result = {kl.host(), rewards.host()};
  });
}

double kl_of(double policy, double reference, KlTerm estimator) {
  const double ratio = std::exp(reference - policy);
  if (estimator == KlTerm::k2) {
    return std::pow(std::log(ratio), 2) / 2;
  }
  return estimator == KlTerm::k3 ? ratio - 1 - std::log(ratio) : -std::log(ratio);
}

TEST(KlRewardsKernel, EveryEstimator) {
  for (const KlTerm estimator : {KlTerm::k1, KlTerm::k2, KlTerm::k3}) {
    Case test{{5, 1, 300, 128},
              {5, 2, 301, 128},
              normal_values<float>(434, 120),
              normal_values<float>(434, 121),
              normal_values<float>(4, 122),
              0.2,
              estimator};
    Result result;
    expect_clean(run_rewards(test, result));
    std::vector<double> kl, rewards;
    for (size_t b = 0, token = 0; b < test.lengths.size(); ++b) {
      for (int64_t t = 0; t < test.states[b]; ++t) {
        const bool is_token = t < test.lengths[b];
        if (is_token) {
          kl.push_back(kl_of(test.logprobs[token], test.ref_logprobs[token], estimator));
          ++token;
        }
        rewards.push_back((is_token ? -test.coef * kl.back() : 0) +
                          (t + 1 == test.states[b] ? test.scores[b] : 0));
      }
    }
    EXPECT_TRUE(all_near(result.kl, kl, 1e-6, 4e-7));
    EXPECT_TRUE(all_near(result.rewards, rewards, 1e-6, 4e-7));
  }
}

// k3 of close policies: e^r - 1 - r without cancellation in e^r - 1.
TEST(KlRewardsKernel, SmallDifferences) {
  Result result;
  expect_clean(
      run_rewards({{2}, {2}, {-1.0f, 0.0f}, {-1.0f, 0.001f}, {0.0f}, 1.0, KlTerm::k3}, result));
  EXPECT_EQ(result.kl[0], 0.0f);
  EXPECT_NEAR(result.kl[1], std::expm1(double{0.001f}) - double{0.001f}, 2e-10);
}

TEST(KlRewardsKernel, MatchesTrl) {
  const auto json = nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/ppo.json"));
  int compared = 0;
  for (const auto& item : json["advantages"]) {
    if (item["whiten_rewards"].get<bool>()) {
      continue;
    }
    const Case test{item["lengths"].get<std::vector<int64_t>>(),
                    item["num_states"].get<std::vector<int64_t>>(),
                    item["logprobs"].get<std::vector<float>>(),
                    item["ref_logprobs"].get<std::vector<float>>(),
                    item["scores"].get<std::vector<float>>(),
                    item["kl_coef"].get<double>(),
                    item["kl_estimator"] == "k3" ? KlTerm::k3 : KlTerm::k1};
    Result result;
    expect_clean(run_rewards(test, result));
    EXPECT_TRUE(all_near(result.kl, item["kl"].get<std::vector<double>>(), 1e-6, 3e-7));
    EXPECT_TRUE(all_near(result.rewards, item["rewards"].get<std::vector<double>>(), 1e-6, 3e-7));
    ++compared;
  }
  EXPECT_EQ(compared, 4);
}

TEST(KlRewardsKernel, EmptyOrRefused) {
  const Outcome outcome = run([] { launch_kl_rewards({}, nullptr); });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  EXPECT_THROW(launch_kl_rewards({.sequences = 1, .estimator = KlTerm::none}, nullptr), Error);
}

}  // namespace
}  // namespace plumb::simt
