// Masked whitening against its definition in float64 and against TRL's masked_whiten (make_ppo.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ops/whiten_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Result {
  std::vector<double> moments;
  std::vector<float> whitened;
};

// keep_in empty: all count.
Outcome run_whiten(const std::vector<float>& values_in, const std::vector<uint8_t>& keep_in,
                   bool keeps_mean, Result& result) {
  return run([&] {
    const auto count = static_cast<int64_t>(values_in.size());
    DeviceBuffer<float> values(values_in, "values");
    DeviceBuffer<uint8_t> keep(keep_in, "keep");
    DeviceBuffer<double> moments(kMoments, "moments"), partial(moments_scratch(count), "partial");
    const uint8_t* const kept = keep_in.empty() ? nullptr : keep.data();
    launch_moments({.moments = moments.data(),
                    .partial = partial.data(),
                    .values = values.data(),
                    .keep = kept,
                    .count = count},
                   nullptr);
    launch_whiten({.out = values.data(),
                   .values = values.data(),
                   .keep = kept,
                   .moments = moments.data(),
                   .count = count,
                   .keeps_mean = keeps_mean},
                  nullptr);
    result = {moments.host(), values.host()};
  });
}

std::vector<double> whitened(const std::vector<float>& values, const std::vector<uint8_t>& keep,
                             bool keeps_mean) {
  const auto counts = [&](size_t i) { return keep.empty() || keep[i] != 0; };
  double n = 0, mean = 0, squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    n += counts(i) ? 1 : 0;
    mean += counts(i) ? values[i] : 0;
  }
  mean = n > 0 ? mean / n : 0;
  for (size_t i = 0; i < values.size(); ++i) {
    squares += counts(i) ? (values[i] - mean) * (values[i] - mean) : 0;
  }
  const double deviation = std::sqrt((n > 1 ? squares / (n - 1) : 0) + 1e-8);
  std::vector<double> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    result[i] = counts(i) ? (values[i] - mean) / deviation + (keeps_mean ? mean : 0) : 0;
  }
  return result;
}

TEST(WhitenKernel, EveryCountAndMask) {
  for (const int64_t count : {0, 1, 2, 255, 4096, 4097, 9001}) {
    SCOPED_TRACE(count);
    std::vector<float> values = normal_values<float>(count, 110, 3.0);
    for (float& value : values) {
      value += 40.0f;  // a mean far from zero
    }
    std::vector<uint8_t> keep(values.size());
    for (size_t i = 0; i < keep.size(); ++i) {
      keep[i] = i % 3 == 1 ? 0 : 7;
    }
    Result result;
    expect_clean(run_whiten(values, {}, false, result));
    EXPECT_TRUE(all_near(result.whitened, whitened(values, {}, false), 1e-6, 1e-7));
    EXPECT_EQ(result.moments[0], static_cast<double>(count));
    expect_clean(run_whiten(values, keep, true, result));
    EXPECT_TRUE(all_near(result.whitened, whitened(values, keep, true), 1e-6, 1e-7));
  }
}

TEST(WhitenKernel, NothingIsKept) {
  Result result;
  expect_clean(run_whiten({1.0f, 2.0f}, {0, 0}, true, result));
  EXPECT_EQ(result.whitened, (std::vector<float>{0.0f, 0.0f}));
}

TEST(WhitenKernel, MatchesTrl) {
  const auto json = nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/ppo.json"));
  const auto& item = json["whiten"];
  Result result;
  expect_clean(run_whiten(item["values"].get<std::vector<float>>(), {}, false, result));
  EXPECT_TRUE(all_near(result.whitened, item["whitened"].get<std::vector<double>>(), 1e-6, 3e-7));
  expect_clean(run_whiten(item["values"].get<std::vector<float>>(), {}, true, result));
  EXPECT_TRUE(
      all_near(result.whitened, item["whitened_keep_mean"].get<std::vector<double>>(), 1e-6, 3e-7));
}

TEST(WhitenKernel, MovesItsFloor) {
  Result result;
  expect_streaming(run_whiten(normal_values<float>(16384, 111), {}, false, result),
                   3 * 16384 * 4 + 400);
}

}  // namespace
}  // namespace plumb::simt
