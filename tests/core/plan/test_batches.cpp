#include "core/plan/batches.h"

#include <gtest/gtest.h>

namespace plumb::plan {
namespace {

DataShape equal_samples(std::int64_t count, std::int64_t length) {
  DataShape data;
  data.lengths.assign(static_cast<std::size_t>(count), length);
  data.samples = count;
  data.is_exact = true;
  return data;
}

TEST(PlanBatches, EqualSamplesFillMicroBatches) {
  TrainOptions options;
  options.batch_size = 8;
  options.epochs = 2;
  const Batches all = training_batches(equal_samples(32, 100), options, {8, 350, 1, 42});
  EXPECT_EQ(all.updates, 8);
  // 3 of 100 fit into 350: 3 + 3 + 2.
  EXPECT_EQ(all.micro_batches, 24);
  EXPECT_EQ(all.rows, 6400);
  EXPECT_EQ(all.widest, 300);
  EXPECT_EQ(all.length, 100);
}

TEST(PlanBatches, RanksShareTheRows) {
  TrainOptions options;
  options.batch_size = 8;
  const Batches one = training_batches(equal_samples(32, 100), options, {8, 10000, 1, 42});
  const Batches two = training_batches(equal_samples(32, 100), options, {8, 10000, 2, 42});
  EXPECT_EQ(two.rows, one.rows / 2);
  EXPECT_EQ(two.widest, 400);
}

TEST(PlanBatches, ASampleLongerThanAMicroBatchIsAlone) {
  DataShape data = equal_samples(4, 10);
  data.lengths[2] = 500;
  TrainOptions options;
  options.batch_size = 4;
  const Batches all = training_batches(data, options, {4, 100, 1, 42});
  EXPECT_EQ(all.widest, 500);
  EXPECT_EQ(all.micro_batches, 2);
}

TEST(PlanBatches, APartOfTheRowsStandsForAll) {
  DataShape data = equal_samples(100, 50);
  data.samples = 100000;
  data.is_exact = false;
  TrainOptions options;
  options.batch_size = 10;
  const Batches all = training_batches(data, options, {10, 1000, 1, 42});
  EXPECT_EQ(all.updates, 10000);
  EXPECT_EQ(all.rows, 5e6);
  EXPECT_EQ(all.widest, 500);
}

}  // namespace
}  // namespace plumb::plan
