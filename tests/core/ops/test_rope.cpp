// The tables are compared with transformers through the decoder's fixtures (tests/core/model); here
// are the properties of the rotation.
#include "core/ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

TEST(Rope, RotatesStridedHeadsAndBack) {
  at::manual_seed(1);
  const RotaryTable table = rotary_table({8, 10000.0, {}}, 16);
  const at::Tensor positions = at::tensor({0, 1, 2, 0, 15}, at::kLong);
  for (const auto type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kFloat ? 1e-6 : 1e-7;  // sin^2 + cos^2 of f32 tables
    const at::Tensor fused = at::randn({5, 40}, type);
    const at::Tensor before = fused.clone();
    const at::Tensor heads = fused.narrow(1, 8, 24).unflatten(1, {3, 8});
    const at::Tensor want = rotate_ref(heads.clone(), positions, table);
    rotate_(heads, positions, table);
    EXPECT_TRUE(all_close(heads, want, 1e-6, 1e-6));
    EXPECT_TRUE(same_bits(fused.narrow(1, 0, 8), before.narrow(1, 0, 8)));
    EXPECT_TRUE(same_bits(fused.narrow(1, 32, 8), before.narrow(1, 32, 8)));
    rotate_back_(heads, positions, table);
    EXPECT_TRUE(all_close(fused, before, tolerance, tolerance));
  }
}

TEST(Rope, BackIsTheBackward) {
  const RotaryTable table = rotary_table({8, 100.0, {}}, 16);
  const at::Tensor positions = at::tensor({3, 9}, at::kLong);
  const at::Tensor x = random_leaf({2, 3, 8}), weight = at::randn({2, 3, 8}, at::kDouble);
  const auto want = gradients(rotate_ref(x, positions, table), weight, {x});
  const at::Tensor got = weight.clone();
  rotate_back_(got, positions, table);
  EXPECT_TRUE(all_close(got, want[0], 1e-12, 1e-12));
}

TEST(Rope, ScoresDependOnDistanceAlone) {
  const RotaryTable table = rotary_table({8, 10000.0, {}}, 64);
  const at::Tensor q = at::randn({1, 1, 8}), k = at::randn({1, 1, 8});
  const auto score = [&](int64_t at_q, int64_t at_k) {
    return (rotate_ref(q, at::tensor({at_q}, at::kLong), table) *
            rotate_ref(k, at::tensor({at_k}, at::kLong), table))
        .sum()
        .item<double>();
  };
  EXPECT_NEAR(score(9, 4), score(59, 54), 1e-5);
  EXPECT_GT(std::abs(score(9, 4) - score(9, 8)), 1e-4);
}

TEST(Rope, CacheGrowsAndServesThreads) {
  RotaryCache cache;
  const RotarySpec spec{8, 10000.0, {}};
  const RotaryTable first = cache.get(spec, 4);
  std::vector<std::thread> threads;
  std::vector<RotaryTable> tables(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] { tables[t] = cache.get(spec, 300 * (t + 1)); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  const RotaryTable whole = rotary_table(spec, 1200);
  for (int t = 0; t < 4; ++t) {
    ASSERT_GE(tables[t].cos.size(0), 300 * (t + 1));
    EXPECT_TRUE(same_bits(tables[t].sin.narrow(0, 0, 300), whole.sin.narrow(0, 0, 300)));
  }
}

}  // namespace
}  // namespace plumb
