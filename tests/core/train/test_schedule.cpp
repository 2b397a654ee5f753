#include "core/train/schedule.h"

#include <gtest/gtest.h>

#include "core/io/json.h"

namespace plumb {
namespace {

ScheduleOptions options_of(const Json& json) {
  ScheduleOptions options;
  options.schedule = json.at("schedule");
  options.warmup_steps = json.value("warmup_steps", int64_t{0});
  options.warmup_ratio = json.value("warmup_ratio", 0.0);
  options.min_lr_ratio = json.value("min_lr_ratio", 0.0);
  options.decay_ratio = json.value("decay_ratio", options.decay_ratio);
  return options;
}

TEST(Schedule, MatchesTransformers) {
  const Json fixture = read_json("tests/oracle/fixtures/schedule.json");
  const double peak = fixture.at("peak");
  for (const Json& c : fixture.at("cases")) {
    const ScheduleOptions options = options_of(c.at("options"));
    const auto rates = c.at("rates").get<std::vector<double>>();
    for (std::size_t step = 0; step < rates.size(); ++step) {
      EXPECT_NEAR(learning_rate(peak, options, static_cast<int64_t>(step), c.at("total_steps")),
                  rates[step], 1e-15)
          << c.at("transformers") << " step " << step;
    }
  }
}

TEST(Schedule, WarmupLongerThanTheRunOnlyRises) {
  ScheduleOptions options;
  options.warmup_steps = 100;
  EXPECT_DOUBLE_EQ(learning_rate(1.0, options, 9, 10), 0.9);
}

TEST(TotalSteps, CountsAShortLastBatch) {
  TrainOptions options;
  options.batch_size = 8;
  EXPECT_EQ(total_steps(options, 16), 2);
  EXPECT_EQ(total_steps(options, 17), 3);
  options.epochs = 0.5;
  EXPECT_EQ(total_steps(options, 17), 2);
  options.steps = 7;
  EXPECT_EQ(total_steps(options, 17), 7);
}

}  // namespace
}  // namespace plumb
