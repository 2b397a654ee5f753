#include "core/train/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(Progress, LineSaysWhatMatters) {
  const ProgressValues values{30, "loss", 1.23456, 45678};
  EXPECT_EQ(progress_text("sft", 120, values, 75),
            "sft  30/120  loss 1.235  45.7k tok/s  1 min 15 s left");
}

TEST(Progress, BarNeverExceedsTheWidth) {
  const ProgressValues values{30, "reward", -0.5, 45678};
  for (int width = 0; width < 140; ++width) {
    const std::string bar = progress_bar("ppo", 120, values, 75, width);
    EXPECT_LE(static_cast<int>(bar.size()), width);
  }
  EXPECT_THAT(progress_bar("ppo", 120, values, 75, 100), testing::HasSubstr("[=======>"));
  EXPECT_THAT(progress_bar("ppo", 120, {120, "reward", 1, 0}, 0, 100),
              testing::HasSubstr("[==============================]"));
}

TEST(Human, Units) {
  EXPECT_EQ(human_duration(4.21), "4.2 s");
  EXPECT_EQ(human_duration(59.7), "1 min 00 s");
  EXPECT_EQ(human_duration(185), "3 min 05 s");
  EXPECT_EQ(human_duration(7620), "2 h 07 min");
  EXPECT_EQ(human_bytes(512e6), "512 MB");
  EXPECT_EQ(human_bytes(1.34e9), "1.3 GB");
  EXPECT_EQ(human_count(987), "987");
  EXPECT_EQ(human_count(12345), "12.3k");
  EXPECT_EQ(human_count(4.56e6), "4.6M");
  EXPECT_GT(peak_memory_bytes(), 1 << 20);
}

TEST(Human, SummaryLine) {
  EXPECT_THAT(summary_line("sft", 185, "out/sft"),
              testing::MatchesRegex("sft done in 3 min 05 s, peak memory .*B; results in out/sft"));
}

}  // namespace
}  // namespace plumb
