#include "ppo/programmatic_reward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace plumb::test {
namespace {

double score(const RewardTerm& term, std::string_view response, std::string_view answer = "",
             int64_t num_tokens = 0) {
  return make_text_reward(term)({response, answer, num_tokens});
}

TEST(ProgrammaticReward, WordIsWholeAndCaseFree) {
  const RewardTerm term{.kind = "word", .word = "dog"};
  EXPECT_EQ(score(term, "The Dog ran."), 1.0);
  EXPECT_EQ(score(term, "dog"), 1.0);
  EXPECT_EQ(score(term, "A hotdog, dogs and a doghouse"), 0.0);
  EXPECT_EQ(score(term, ""), 0.0);
}

TEST(ProgrammaticReward, WordWithSignsIsTakenLiterally) {
  EXPECT_EQ(score({.kind = "word", .word = "c++"}, "in C++, yes"), 1.0);
  EXPECT_EQ(score({.kind = "word", .word = "a.c"}, "abc"), 0.0);
  EXPECT_EQ(score({.kind = "word", .word = "Über"}, "das über dem"), 1.0);
  EXPECT_EQ(score({.kind = "word", .word = "Über"}, "überall"), 0.0);
}

TEST(ProgrammaticReward, RegexSearchesWithUnicode) {
  const RewardTerm term{.kind = "regex", .pattern = "^\\p{Lu}.*\\.$"};
  EXPECT_EQ(score(term, "Élan vital."), 1.0);
  EXPECT_EQ(score(term, "élan vital."), 0.0);
}

TEST(ProgrammaticReward, CatastrophicPatternStopsAtTheLimit) {
  EXPECT_EQ(score({.kind = "regex", .pattern = "(a+)+$"}, std::string(64, 'a') + "b"), 0.0);
}

TEST(ProgrammaticReward, InvalidUtf8DoesNotHideAMatch) {
  EXPECT_EQ(score({.kind = "regex", .pattern = "yes"}, "\xff\xfe yes"), 1.0);
}

TEST(ProgrammaticReward, BadPatternNamesPatternAndPlace) {
  try {
    make_text_reward({.kind = "regex", .pattern = "(open"});
    FAIL() << "must throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("'(open' does not compile at character 5"));
  }
  EXPECT_THROW(make_text_reward({.kind = "regex"}), Error);
  EXPECT_THROW(make_text_reward({.kind = "word"}), Error);
  EXPECT_THROW(make_text_reward({.kind = "length"}), Error);
  EXPECT_THROW(make_text_reward({.kind = "model"}), Error);
}

TEST(ProgrammaticReward, LengthPeaksAtTheTarget) {
  const RewardTerm words{.kind = "length", .target = 4};
  EXPECT_EQ(score(words, "one two  three\nfour"), 1.0);
  EXPECT_EQ(score(words, "one two"), 0.5);
  EXPECT_EQ(score(words, "1 2 3 4 5"), 0.75);
  EXPECT_EQ(score(words, "1 2 3 4 5 6 7 8 9 10 11"), 0.0);
  EXPECT_EQ(score({.kind = "length", .target = 4, .unit = "characters"}, "äöü€"), 1.0);
  EXPECT_EQ(score({.kind = "length", .target = 10, .unit = "tokens"}, "x", "", 5), 0.5);
}

TEST(ProgrammaticReward, ExactMatchIgnoresSurroundingSpace) {
  const RewardTerm term{.kind = "exact_match"};
  EXPECT_EQ(score(term, "  Paris\n", "Paris"), 1.0);
  EXPECT_EQ(score(term, "paris", "Paris"), 0.0);
  EXPECT_TRUE(needs_answer(term));
  EXPECT_FALSE(needs_answer({.kind = "word", .word = "x"}));
}

TEST(ProgrammaticReward, NumericMatchReadsGsm8kAndPlainAnswers) {
  const RewardTerm term{.kind = "numeric_match"};
  EXPECT_EQ(score(term, "She has 3 + 4 = 7 apples.\n#### 7", "long 12 solution\n#### 7"), 1.0);
  EXPECT_EQ(score(term, "#### 1,234 dollars", "1234.0"), 1.0);
  EXPECT_EQ(score(term, "so the answer is $70,000.", "#### 70000"), 1.0);
  EXPECT_EQ(score(term, "no number here", "7"), 0.0);
  EXPECT_EQ(score(term, "8", "7"), 0.0);
}

TEST(ProgrammaticReward, LastNumber) {
  EXPECT_EQ(last_number("a -3"), -3.0);
  EXPECT_EQ(last_number("-$12.50"), -12.5);
  EXPECT_EQ(last_number("10-3"), 3.0);
  EXPECT_EQ(last_number("2, 3"), 3.0);
  EXPECT_EQ(last_number("1,23"), 23.0);
  EXPECT_EQ(last_number("40%."), 40.0);
  EXPECT_EQ(last_number("#### 5 and not 6"), 5.0);
  EXPECT_EQ(last_number("1,000,000"), 1e6);
  EXPECT_EQ(last_number("####"), std::nullopt);
}

}  // namespace
}  // namespace plumb::test
