#include "core/ops/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/ops/philox.h"

namespace plumb {
namespace {

using Json = nlohmann::json;

const Json& fixture() {
  static const Json json =
      Json::parse(std::ifstream("tests/oracle/fixtures/sampling.json"));  // make_sampling.py
  return json;
}

SamplingFilters filters_of(const Json& settings) {
  return {.temperature = settings.value("temperature", 1.0),
          .top_k = settings.value("top_k", int64_t{0}),
          .top_p = settings.value("top_p", 1.0),
          .min_p = settings.value("min_p", 0.0),
          .repetition_penalty = settings.value("repetition_penalty", 1.0)};
}

std::vector<int32_t> distinct(std::vector<int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

TEST(Sampling, KeepsWhatTransformersKeepsWithItsProbabilities) {
  ASSERT_GT(fixture()["cases"].size(), 60u);
  for (const Json& one : fixture()["cases"]) {
    const auto logits = fixture()["rows"][one["row"].get<std::size_t>()].get<std::vector<float>>();
    const auto seen = distinct(one["seen"].get<std::vector<int32_t>>());
    const auto banned =
        one.value("ban", false) ? one["eos"].get<std::vector<int32_t>>() : std::vector<int32_t>();
    SamplingScratch scratch;
    const auto kept = filtered_tokens(filters_of(one), {logits, seen, banned, 0.0}, scratch);
    std::vector<int32_t> ids;
    double total = 0;
    for (const WeightedToken& token : kept) {
      ids.push_back(token.id);
      total += token.weight;
    }
    SCOPED_TRACE(one.dump().substr(0, 200));
    ASSERT_EQ(ids, one["kept"].get<std::vector<int32_t>>());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const double want = one["probabilities"][i].get<double>();
      EXPECT_NEAR(kept[i].weight / total, want, 1e-7 + 3e-6 * want);
    }
  }
}

// A long vocabulary goes through the selections that a short one skips.
TEST(Sampling, SelectionsOfALongVocabularyEqualSorting) {
  std::vector<float> logits(20011);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(std::round(8000 * random_uniform(9, Stream::data, 0, i)) / 1000);
  }
  std::vector<int32_t> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<int32_t>(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  SamplingScratch scratch;
  for (const int64_t k : {1, 50, 625, 626, 5000}) {
    const auto kept = filtered_tokens({.top_k = k}, {logits, {}, {}, 0.0}, scratch);
    const float lowest = logits[order[k - 1]];
    const auto want =
        std::count_if(logits.begin(), logits.end(), [&](float x) { return x >= lowest; });
    EXPECT_EQ(std::ssize(kept), want) << k;
  }
  double total = 0;
  for (const float logit : logits) {
    total += std::exp(double{logit} - logits[order[0]]);
  }
  for (const double p : {0.05, 0.5, 0.9, 0.99}) {
    double before = 0;
    std::size_t want = 0;
    while (before < p * total) {
      before += std::exp(double{logits[order[want++]]} - logits[order[0]]);
    }
    std::vector<int32_t> ids(order.begin(), order.begin() + want);
    std::sort(ids.begin(), ids.end());
    const auto kept = filtered_tokens({.top_p = p}, {logits, {}, {}, 0.0}, scratch);
    ASSERT_NEAR(kept.size(), want, 1) << p;  // f32 weights: the last one may differ
    EXPECT_EQ(kept.front().id, ids.front());
  }
}

// Among equals the lowest ids stay, as many as the mass asks for.
TEST(Sampling, TopPOfAFlatRowKeepsTheFirstIds) {
  const std::vector<float> logits(1000, 2.5f);
  SamplingScratch scratch;
  for (const double p : {0.0105, 0.3005, 0.9905}) {
    const auto kept = filtered_tokens({.top_p = p}, {logits, {}, {}, 0.0}, scratch);
    ASSERT_EQ(kept.size(), static_cast<std::size_t>(std::ceil(p * 1000))) << p;
    EXPECT_EQ(kept.back().id, std::ssize(kept) - 1);
  }
}

double chi_square(const std::vector<double>& wanted, const std::vector<int64_t>& counts,
                  int64_t draws) {
  double sum = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double expectation = wanted[i] * draws;
    sum += (counts[i] - expectation) * (counts[i] - expectation) / expectation;
  }
  return sum;
}

// 99.9 % of a chi-square with 11 degrees of freedom lies below 31.3.
TEST(Sampling, DrawsFollowTheDistribution) {
  const std::vector<float> logits = {0.1f, -1, 2, 0.5f, 1.5f, -0.3f, 0.9f, -2, 1, 0, 0.7f, -0.8f};
  double total = 0;
  std::vector<double> wanted;
  for (const float logit : logits) {
    wanted.push_back(std::exp(logit / 0.8));
    total += wanted.back();
  }
  for (double& p : wanted) {
    p /= total;
  }
  constexpr int64_t kDraws = 40000;
  SamplingScratch scratch;
  // Both ways to draw: the whole vocabulary, and a kept list (top-k that keeps all).
  for (const int64_t top_k : {0, 12}) {
    std::vector<int64_t> counts(logits.size());
    for (int64_t i = 0; i < kDraws; ++i) {
      const double uniform = random_uniform(1, Stream::sampling, 7, i);
      const SamplingFilters filters{.temperature = 0.8, .top_k = top_k};
      ++counts[draw_token(filters, {logits, {}, {}, uniform}, scratch).id];
    }
    EXPECT_LT(chi_square(wanted, counts, kDraws), 31.3);
  }
}

TEST(Sampling, TheInverseCdfRunsInOrderOfIds) {
  const std::vector<float> logits(1000, 0.0f);
  SamplingScratch scratch;
  for (const double uniform : {0.0, 0.0004, 0.25, 0.2559, 0.5, 0.99951, 1 - 0x1.0p-53}) {
    const auto want = static_cast<int32_t>(uniform * 1000);
    EXPECT_EQ(draw_token({}, {logits, {}, {}, uniform}, scratch).id, want);
    EXPECT_EQ(draw_token({.top_k = 1000}, {logits, {}, {}, uniform}, scratch).id, want);
  }
}

TEST(Sampling, ABannedTokenIsNeverDrawn) {
  std::vector<float> logits(300, -50.0f);
  logits[299] = 50;
  const std::vector<int32_t> banned = {299, 0};
  SamplingScratch scratch;
  for (const double uniform : {0.0, 0.5, 1 - 0x1.0p-53}) {
    for (const int64_t top_k : {0, 5}) {
      const int32_t id = draw_token({.top_k = top_k}, {logits, {}, banned, uniform}, scratch).id;
      EXPECT_TRUE(id > 0 && id < 299) << id;
    }
  }
  EXPECT_EQ(draw_token({.temperature = 0}, {logits, {}, banned, 0}, scratch).id, 1);
}

TEST(Sampling, GreedyTakesTheLowestOfEquals) {
  const std::vector<float> logits = {1, 3, 2, 3, 3, 0};
  SamplingScratch scratch;
  const DrawnToken drawn = draw_token({.temperature = 0}, {logits, {}, {}, 0.9}, scratch);
  EXPECT_EQ(drawn.id, 1);
}

TEST(Sampling, LogprobsAreOfTheUnfilteredDistribution) {
  const auto logits = fixture()["rows"][1].get<std::vector<float>>();
  const std::vector<int32_t> seen = {1, 2, 3}, banned = {4};
  SamplingScratch scratch;
  for (const double temperature : {0.0, 0.5, 1.0, 3.0}) {
    const SamplingFilters filters{
        .temperature = temperature, .top_k = 5, .repetition_penalty = 1.4};
    const DrawnToken drawn = draw_token(filters, {logits, seen, banned, 0.6}, scratch);
    const double divisor = temperature == 0 ? 1.0 : temperature;
    double sum = 0;
    for (const float logit : logits) {
      sum += std::exp(logit / divisor);
    }
    EXPECT_NEAR(drawn.logprob, logits[drawn.id] / divisor - std::log(sum), 2e-6);
  }
}

TEST(Sampling, FindsWhatIsNotFinite) {
  std::vector<float> logits(100, 1.0f);
  EXPECT_TRUE(all_finite(logits));
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    logits[77] = bad;
    EXPECT_FALSE(all_finite(logits));
  }
}

}  // namespace
}  // namespace plumb
