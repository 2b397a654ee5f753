#include "core/ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <thread>

#include "tests/support/fixture.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

RotarySpec spec_of(const Json& json) {
  const std::map<std::string, RopeType> types{{"default", RopeType::standard},
                                              {"linear", RopeType::linear},
                                              {"dynamic", RopeType::dynamic},
                                              {"llama3", RopeType::llama3},
                                              {"yarn", RopeType::yarn}};
  RotarySpec spec{json["dim"].get<int64_t>(), json["rope_theta"].get<double>(), {}};
  RopeScaling& scaling = spec.scaling;
  scaling.type = types.at(json["rope_type"].get<std::string>());
  scaling.factor = json.value("factor", 1.0);
  scaling.low_freq_factor = json.value("low_freq_factor", 1.0);
  scaling.high_freq_factor = json.value("high_freq_factor", 4.0);
  scaling.original_max_position_embeddings =
      json["original_max_position_embeddings"].get<int64_t>();
  scaling.attention_factor = json["attention_factor"].get<double>();
  scaling.beta_fast = json.value("beta_fast", 32.0);
  scaling.beta_slow = json.value("beta_slow", 1.0);
  scaling.truncate = json.value("truncate", true);
  return spec;
}

// Bits but for the last: powers and cosines are the library's of the machine that made the fixture.
TEST(Rope, TablesAreThoseOfTransformersForEveryScaling) {
  const Fixture fixture = read_fixture("rope");
  const Json cases = fixture.json("cases");
  for (const auto& [name, json] : cases.items()) {
    SCOPED_TRACE(name);
    const RotarySpec spec = spec_of(json);
    const auto count = json["positions"].get<int64_t>();
    std::vector<int64_t> positions(count);
    std::iota(positions.begin(), positions.end(), 0);
    const std::vector<int64_t> lengths(count, count);
    const bool is_dynamic = spec.scaling.type == RopeType::dynamic;
    const RotaryTable table =
        is_dynamic ? rotary_table_of_rows(spec, positions, lengths) : rotary_table(spec, count);
    EXPECT_TRUE(all_close(table.cos, fixture.at(name + ".cos"), 0.0, 3e-5));
    EXPECT_TRUE(all_close(table.sin, fixture.at(name + ".sin"), 0.0, 3e-5));
    EXPECT_TRUE(
        all_close(table.sin.narrow(0, 0, 4), fixture.at(name + ".sin").narrow(0, 0, 4), 0.0, 5e-7));
  }
}

// Within the original length dynamic scaling is none; beyond it a row has the frequencies of its
// own sequence's length.
TEST(Rope, DynamicRowsFollowTheirSequence) {
  RotarySpec spec{8, 10000.0, {}};
  spec.scaling.type = RopeType::dynamic;
  spec.scaling.factor = 2.0;
  spec.scaling.original_max_position_embeddings = 16;
  const RotaryTable mixed = rotary_table_of_rows(spec, {3, 5, 17, 5}, {10, 30, 30, 40});
  const RotaryTable plain = rotary_table({8, 10000.0, {}}, 32);
  EXPECT_TRUE(all_close(mixed.cos[0], plain.cos[3], 0.0, 1e-6));
  EXPECT_TRUE(all_close(rotary_table(spec, 16).sin, plain.sin.narrow(0, 0, 16), 0.0, 1e-5));
  EXPECT_GT(max_difference(mixed.sin[1], plain.sin[5]), 1e-3);
  EXPECT_GT(max_difference(mixed.sin[1], mixed.sin[3]), 1e-4);
  const RotaryTable alone = rotary_table_of_rows(spec, {17}, {30});
  EXPECT_TRUE(same_bits(mixed.sin[2], alone.sin[0]));
}

TEST(Rope, TurnsTheFirstValuesOfAHeadAlone) {
  const RotaryTable table = rotary_table({4, 100.0, {}}, 16);
  const at::Tensor rows = at::tensor({3, 9}, at::kLong);
  const at::Tensor x = at::randn({2, 3, 10}), got = x.clone();
  rotate_(got, rows, table);
  EXPECT_TRUE(all_close(got, rotate_ref(x, rows, table), 1e-6, 1e-6));
  EXPECT_TRUE(
      all_close(got.narrow(2, 0, 4), rotate_ref(x.narrow(2, 0, 4), rows, table), 1e-6, 1e-6));
  EXPECT_TRUE(same_bits(got.narrow(2, 4, 6), x.narrow(2, 4, 6)));
}

// A scaled table (yarn's attention factor) is no rotation: back is the transposed map all the same.
TEST(Rope, BackIsTheBackwardOfAScaledTable) {
  RotaryTable table = rotary_table({8, 100.0, {}}, 16);
  table = {table.cos * 1.3, table.sin * 1.3};
  const at::Tensor rows = at::tensor({3, 9}, at::kLong);
  const at::Tensor x = random_leaf({2, 3, 8}), weight = at::randn({2, 3, 8}, at::kDouble);
  const auto want = gradients(rotate_ref(x, rows, table), weight, {x});
  const at::Tensor got = weight.clone();
  rotate_back_(got, rows, table);
  EXPECT_TRUE(all_close(got, want[0], 1e-12, 1e-12));
}

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
