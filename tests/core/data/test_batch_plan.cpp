#include "core/data/batch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Indices = std::vector<std::int64_t>;

Indices epoch_of(const BatchPlan& plan, std::int64_t epoch) {
  Indices all;
  for (std::int64_t step = 0; step < plan.steps_per_epoch(); ++step) {
    const Indices batch = plan.global_batch(epoch * plan.steps_per_epoch() + step);
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

Indices sorted(Indices values) {
  std::sort(values.begin(), values.end());
  return values;
}

Indices first_integers(std::int64_t count) {
  Indices values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(BatchPlan, AnEpochTakesEverySampleOnce) {
  for (const std::int64_t count : {1, 2, 3, 5, 16, 17, 64, 1000, 4097}) {
    const BatchPlan plan(count, 7, 1);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      EXPECT_EQ(sorted(epoch_of(plan, epoch)), first_integers(count)) << count;
    }
  }
}

TEST(BatchPlan, TheLastBatchIsShort) {
  const BatchPlan plan(10, 4, 1, SampleOrder::in_sequence);
  EXPECT_EQ(plan.steps_per_epoch(), 3);
  EXPECT_THAT(plan.global_batch(2), ElementsAre(8, 9));
  EXPECT_THAT(plan.global_batch(3), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(plan.epoch_of(5), 1);
}

TEST(BatchPlan, OrderDependsOnSeedAndEpochAlone) {
  const BatchPlan plan(1000, 10, 1);
  EXPECT_EQ(epoch_of(plan, 0), epoch_of(BatchPlan(1000, 25, 1), 0));
  EXPECT_NE(epoch_of(plan, 0), epoch_of(plan, 1));
  EXPECT_NE(epoch_of(plan, 0), epoch_of(BatchPlan(1000, 10, 2), 0));
  EXPECT_NE(epoch_of(plan, 0), first_integers(1000));
}

// Each sample is in each place about equally often; 8 standard deviations of a binomial.
TEST(BatchPlan, ShufflesEvenly) {
  for (const std::int64_t count : {2, 3, 7, 20}) {
    constexpr int kEpochs = 4000;
    std::map<std::pair<std::int64_t, std::int64_t>, int> seen;
    const BatchPlan plan(count, 1, 5);
    for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
      for (std::int64_t i = 0; i < count; ++i) ++seen[{i, plan.sample_index(epoch, i)}];
    }
    const double expected = static_cast<double>(kEpochs) / static_cast<double>(count);
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(count * count));
    for (const auto& [place, times] : seen) EXPECT_NEAR(times, expected, 8 * std::sqrt(expected));
  }
}

TEST(BatchPlan, OrdersOfThreeAreAllSixEquallyOften) {
  std::map<Indices, int> seen;
  const BatchPlan plan(3, 1, 9);
  for (std::int64_t epoch = 0; epoch < 6000; ++epoch) ++seen[epoch_of(plan, epoch)];
  ASSERT_EQ(seen.size(), 6U);
  for (const auto& [order, times] : seen) EXPECT_NEAR(times, 1000, 250);
}

TEST(BatchPlan, RefusesNothingAndNoBatch) {
  EXPECT_THAT(error_of([] { BatchPlan(0, 1, 1); }), HasSubstr("no sample"));
  EXPECT_THAT(error_of([] { BatchPlan(1, 0, 1); }), HasSubstr("at least 1"));
}

TEST(RankShare, TheSharesAreTheBatchAndBalanced) {
  const Indices batch{40, 41, 42, 43, 44, 45, 46};
  const Indices lengths{100, 10, 30, 60, 90, 20, 50};
  for (const std::int64_t world : {1, 2, 3, 7, 10}) {
    Indices all;
    std::vector<std::int64_t> loads;
    for (std::int64_t rank = 0; rank < world; ++rank) {
      const Indices share = rank_share(batch, lengths, rank, world);
      EXPECT_TRUE(std::is_sorted(share.begin(), share.end()));
      EXPECT_EQ(share.empty(), rank >= 7);
      std::int64_t load = 0;
      for (const std::int64_t index : share) load += lengths[static_cast<std::size_t>(index - 40)];
      loads.push_back(load);
      all.insert(all.end(), share.begin(), share.end());
    }
    EXPECT_EQ(sorted(all), batch) << world;
    if (world == 2) {
      EXPECT_LE(std::abs(loads[0] - loads[1]), 20);
    }
  }
}

TEST(MicroBatches, FirstFitInOrder) {
  const Indices share{7, 8, 9, 10, 11};
  const Indices lengths{60, 50, 40, 150, 10};
  EXPECT_THAT(micro_batches(share, lengths, 100),
              ElementsAre(ElementsAre(7, 9), ElementsAre(8, 11), ElementsAre(10)));
  EXPECT_THAT(micro_batches(share, lengths, 0), ElementsAre(ElementsAre(7, 8, 9, 10, 11)));
  EXPECT_TRUE(micro_batches({}, {}, 100).empty());
  EXPECT_THAT(error_of([&] { micro_batches(share, {}, 100); }), HasSubstr("5 samples with 0"));
}

}  // namespace
}  // namespace plumb
