#include "core/data/windows.h"

#include <gtest/gtest.h>

#include <numeric>

namespace plumb {
namespace {

struct Divided {
  std::vector<Sample> samples;
  std::int64_t length = 0;
};

// Gives `count` tokens in parts of `part`.
Divided divide(std::int64_t count, std::int64_t max_length, std::size_t part) {
  Divided out;
  WindowMaker maker(max_length, [&](Sample sample) { out.samples.push_back(std::move(sample)); });
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), 0);
  maker.start(9);
  for (std::size_t at = 0; at < tokens.size(); at += part) {
    maker.add(std::span(tokens).subspan(at, std::min(part, tokens.size() - at)));
  }
  out.length = maker.end();
  return out;
}

TEST(Windows, EveryTokenButTheFirstIsATargetOnce) {
  for (const std::int64_t count : {2, 3, 9, 10, 11, 19, 20, 100}) {
    for (const std::size_t part : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
      const Divided divided = divide(count, 10, part);
      EXPECT_EQ(divided.length, count);
      std::vector<std::int32_t> targets;
      for (const Sample& sample : divided.samples) {
        EXPECT_EQ(sample.row, 9);
        EXPECT_GE(sample.length(), 2);
        EXPECT_LE(sample.length(), 10);
        const auto& tokens = sample.only().tokens;
        targets.insert(targets.end(), tokens.begin() + 1, tokens.end());
        EXPECT_EQ(trained_tokens(sample.only()), sample.length() - 1);
      }
      std::vector<std::int32_t> expected(static_cast<std::size_t>(count - 1));
      std::iota(expected.begin(), expected.end(), 1);
      EXPECT_EQ(targets, expected) << count << " in parts of " << part;
    }
  }
}

TEST(Windows, WithoutALimitADocumentIsOneSample) {
  EXPECT_EQ(divide(1000, 0, 33).samples.size(), 1U);
}

TEST(Windows, ASingleTokenGivesNoSample) {
  EXPECT_TRUE(divide(1, 10, 1).samples.empty());
  EXPECT_TRUE(divide(0, 10, 1).samples.empty());
}

}  // namespace
}  // namespace plumb
