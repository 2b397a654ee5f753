// Sampling against the CPU's sampler (core/ops/sampling.cpp) token by token, and against the tokens
// that transformers' processors keep (make_sampling.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/ops/philox.h"
#include "core/ops/sampling_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

constexpr uint64_t kSeed = 0xABCDEF0123456789;

// Rows of one vocabulary, each with its own sequence and position.
template <class T>
struct Case {
  std::vector<std::vector<T>> rows;
  std::vector<int32_t> seen = {};    // of every row
  std::vector<int32_t> banned = {};  // in rows of odd index
  int64_t gap = 0;                   // values between rows

  int64_t vocab() const { return static_cast<int64_t>(rows[0].size()); }
  static uint64_t sample_id(size_t row) { return 1000 + 7 * row; }
  static int64_t position(size_t row) { return static_cast<int64_t>(3 * row + 2); }
};

struct Result {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  std::vector<uint32_t> seen;
};

template <class T>
Outcome run_sampling(const Case<T>& test, const SamplingFilters& filters, Result& result) {
  const int64_t vocab = test.vocab(), words = seen_words(vocab);
  std::vector<T> flat;
  std::vector<uint32_t> bits;
  std::vector<uint8_t> banning;
  std::vector<uint64_t> samples;
  std::vector<int64_t> places;
  for (size_t row = 0; row < test.rows.size(); ++row) {
    flat.insert(flat.end(), test.rows[row].begin(), test.rows[row].end());
    flat.resize(flat.size() + test.gap, as<T>(std::numeric_limits<double>::quiet_NaN()));
    std::vector<uint32_t> of_row(words);
    for (const int32_t id : test.seen) {
      of_row[id / 32] |= 1u << (id % 32);
    }
    bits.insert(bits.end(), of_row.begin(), of_row.end());
    banning.push_back(row % 2);
    samples.push_back(Case<T>::sample_id(row));
    places.push_back(Case<T>::position(row));
  }
  return run([&] {
    const auto rows = static_cast<int64_t>(test.rows.size());
    DeviceBuffer<T> logits(flat, "logits");
    DeviceBuffer<uint32_t> seen(bits, "seen");
    DeviceBuffer<int32_t> banned(test.banned, "banned"), ids(rows, "ids");
    DeviceBuffer<uint8_t> is_banning(banning, "is_banning");
    DeviceBuffer<uint64_t> sample_ids(samples, "sample_ids");
    DeviceBuffer<int64_t> positions(places, "positions");
    DeviceBuffer<float> logprobs(rows, "logprobs");
    launch_sample_tokens({.ids = ids.data(),
                          .logprobs = logprobs.data(),
                          .logits = logits.data(),
                          .seen = seen.data(),
                          .banned = banned.data(),
                          .is_banning = is_banning.data(),
                          .sample_ids = sample_ids.data(),
                          .positions = positions.data(),
                          .rows = rows,
                          .vocab = vocab,
                          .row_stride = vocab + test.gap,
                          .num_banned = banned.size(),
                          .seed = kSeed,
                          .filters = filters,
                          .dtype = dtype_of<T>},
                         nullptr);
    result = {ids.host(), logprobs.host(), seen.host()};
  });
}

template <class T>
void expect_as_cpu(const Case<T>& test, const SamplingFilters& filters) {
  SCOPED_TRACE(testing::Message() << test.vocab() << " ids, temperature " << filters.temperature
                                  << ", top_k " << filters.top_k << ", top_p " << filters.top_p
                                  << ", min_p " << filters.min_p << ", penalty "
                                  << filters.repetition_penalty);
  Result got;
  expect_clean(run_sampling(test, filters, got));
  const int64_t words = seen_words(test.vocab());
  SamplingScratch scratch;
  for (size_t row = 0; row < test.rows.size(); ++row) {
    std::vector<float> logits;
    for (const T value : test.rows[row]) {
      logits.push_back(static_cast<float>(value_of(value)));
    }
    const DrawnToken want =
        draw_token(filters,
                   {.logits = logits,
                    .seen = test.seen,
                    .banned = row % 2 == 1 ? std::span<const int32_t>(test.banned)
                                           : std::span<const int32_t>(),
                    .uniform = random_uniform(kSeed, Stream::sampling, Case<T>::sample_id(row),
                                              Case<T>::position(row))},
                   scratch);
    EXPECT_EQ(got.ids[row], want.id) << "row " << row;
    EXPECT_NEAR(got.logprobs[row], want.logprob, 2e-6 + 2e-7 * std::abs(want.logprob));
    EXPECT_TRUE(got.seen[row * words + want.id / 32] >> (want.id % 32) & 1u);
  }
}

const SamplingFilters kFilters[] = {
    {},
    {.temperature = 0.0},
    {.temperature = 0.7},
    {.top_k = 1},
    {.temperature = 1.3, .top_k = 7},
    {.top_k = 50},
    {.top_p = 0.0},
    {.top_p = 0.3},
    {.temperature = 0.9, .top_p = 0.95},
    {.min_p = 0.05},
    {.min_p = 1.0},
    {.temperature = 0.8, .top_k = 40, .top_p = 0.9, .min_p = 0.02, .repetition_penalty = 1.3},
    {.temperature = 0.0, .repetition_penalty = 5.0},
};

// Normal logits, logits with many equals, and equals alone.
template <class T>
Case<T> mixed_rows(int64_t vocab) {
  Case<T> test{.rows = {}, .gap = 3};
  for (int row = 0; row < 3; ++row) {
    auto logits = normal_values<T>(vocab, 160 + row, 3.0);
    for (T& logit : logits) {
      logit = row % 3 == 0   ? logit
              : row % 3 == 1 ? as<T>(std::round(2 * value_of(logit)) / 2)
                             : as<T>(1.5);
    }
    test.rows.push_back(logits);
  }
  for (int32_t id = 0; id < vocab; id += 3) {
    test.seen.push_back(id);
  }
  if (vocab > 5) {
    test.banned = {0, static_cast<int32_t>(vocab - 1)};
  }
  return test;
}

template <class T>
class SamplingKernel : public testing::Test {};
TYPED_TEST_SUITE(SamplingKernel, Elements);

TYPED_TEST(SamplingKernel, DrawsWhatTheCpuDraws) {
  for (const int64_t vocab : {1, 33, 600}) {
    for (const SamplingFilters& filters : kFilters) {
      expect_as_cpu(mixed_rows<TypeParam>(vocab), filters);
    }
  }
}

TYPED_TEST(SamplingKernel, LongVocabularies) {
  Case<TypeParam> test = mixed_rows<TypeParam>(6011);
  test.rows.resize(2);
  for (const int filter : {0, 5, 8, 11}) {
    expect_as_cpu(test, kFilters[filter]);
  }
}

// Of equal weights top-p keeps the lower ids, which here lie before the larger weights.
TEST(SamplingKernelRows, TiesBeforeLargerWeights) {
  std::vector<float> logits(24, 0.0f);
  std::fill(logits.end() - 4, logits.end(), 1.0f);
  expect_as_cpu(Case<float>{.rows = std::vector<std::vector<float>>(64, logits)}, {.top_p = 0.6});
}

TEST(SamplingKernelRows, PenaltyOfNegativeLogits) {
  Case<float> test{.rows = std::vector<std::vector<float>>(16, normal_values<float>(40, 172))};
  for (std::vector<float>& row : test.rows) {
    for (float& logit : row) {
      logit = -std::abs(logit);
    }
  }
  for (int32_t id = 0; id < 40; id += 2) {
    test.seen.push_back(id);
  }
  expect_as_cpu(test, {.repetition_penalty = 3.0});
}

// What transformers keeps is all that is ever drawn; and nearly all of it is.
TEST(SamplingFixture, DrawsFromWhatTransformersKeeps) {
  const auto json = nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/sampling.json"));
  int compared = 0;
  for (const auto& one : json["cases"]) {
    const auto logits = json["rows"][one["row"].get<size_t>()].get<std::vector<float>>();
    if (logits.size() > 600 || compared++ % 6 != 0) {
      continue;
    }
    Case<float> test{.rows = std::vector<std::vector<float>>(12, logits)};
    test.seen = one["seen"].get<std::vector<int32_t>>();
    if (one.value("ban", false)) {
      test.banned = one["eos"].get<std::vector<int32_t>>();
    }
    Result got;
    expect_clean(run_sampling(test,
                              {.temperature = one.value("temperature", 1.0),
                               .top_k = one.value("top_k", int64_t{0}),
                               .top_p = one.value("top_p", 1.0),
                               .min_p = one.value("min_p", 0.0),
                               .repetition_penalty = one.value("repetition_penalty", 1.0)},
                              got));
    const auto kept = one["kept"].get<std::vector<int32_t>>();
    for (size_t row = test.banned.empty() ? 0 : 1; row < got.ids.size();
         row += test.banned.empty() ? 1 : 2) {
      EXPECT_TRUE(std::find(kept.begin(), kept.end(), got.ids[row]) != kept.end())
          << got.ids[row] << " in " << one.dump().substr(0, 200);
    }
  }
  EXPECT_GT(compared, 20);
}

TEST(SamplingKernelRows, NonFiniteLogitsAreMarked) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Case<float> test{.rows = {normal_values<float>(600, 170), normal_values<float>(600, 171)}};
    test.rows[0][599] = bad;
    Result got;
    expect_clean(run_sampling(test, {}, got));
    EXPECT_EQ(got.ids[0], -1);
    EXPECT_TRUE(std::isnan(got.logprobs[0]));
    EXPECT_GE(got.ids[1], 0);
  }
}

// Without filters: once for the peaks, once for the sum, once for the segments; all but the first
// from the cache.
TYPED_TEST(SamplingKernel, ReadsARowThreeTimes) {
  const Case<TypeParam> test{.rows = {normal_values<TypeParam>(16384, 173)}};
  Result got;
  const Outcome outcome = run_sampling(test, {}, got);
  expect_clean(outcome);
  const auto floor = static_cast<double>(16384 * sizeof(TypeParam) + 100);
  EXPECT_LE(static_cast<double>(outcome.traffic().unique_bytes()), 1.05 * floor);
  EXPECT_LE(static_cast<double>(outcome.traffic().requested_bytes()), 3.2 * floor);
  EXPECT_GE(outcome.traffic().sector_efficiency(), 0.95);
}

TEST(SamplingKernelRows, AreRefusedOrEmpty) {
  const Outcome outcome = run([] { launch_sample_tokens({.vocab = 5}, nullptr); });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  EXPECT_THROW(launch_sample_tokens({.rows = 1, .vocab = 262145}, nullptr), Error);
  EXPECT_THROW(
      launch_sample_tokens({.rows = 1, .vocab = 5, .filters = {.repetition_penalty = 2}}, nullptr),
      Error);
}

}  // namespace
}  // namespace plumb::simt
