// NF4 and its scales against bitsandbytes' own codes and bits (make_bitsandbytes.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ops/nf4_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/nf4_device.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

const nlohmann::json& fixture() {
  static const auto json =
      nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/bitsandbytes.json"));
  return json;
}

template <class T>
std::vector<T> values_of(const nlohmann::json& numbers) {
  std::vector<T> result;
  for (const auto& number : numbers) {
    result.push_back(as<T>(number.get<double>()));
  }
  return result;
}

template <class T>
void quantise(const std::vector<T>& values, Nf4Device& device, DeviceBuffer<float>& absmax) {
  const int64_t count = static_cast<int64_t>(values.size());
  DeviceBuffer<T> weight(values, "weight");
  DeviceBuffer<double> partial(nf4_scratch(count), "partial");
  launch_nf4_quantise({.to = device.weight,
                       .absmax = absmax.data(),
                       .partial = partial.data(),
                       .weight = weight.data(),
                       .dtype = dtype_of<T>},
                      nullptr);
}

template <class T>
class Nf4Kernel : public testing::Test {};
TYPED_TEST_SUITE(Nf4Kernel, Elements);

TYPED_TEST(Nf4Kernel, QuantisesToBitsandbytesCodes) {
  using T = TypeParam;
  int compared = 0;
  for (const auto& one : fixture()["nf4"]) {
    if ((one["dtype"] == "bfloat16") != (sizeof(T) == 2)) {
      continue;
    }
    ++compared;
    const auto values = values_of<T>(one["weight"]);
    expect_clean(run([&] {
      Nf4Device device(static_cast<int64_t>(values.size()));
      DeviceBuffer<float> absmax(nf4_blocks(device.weight.count), "absmax");
      quantise(values, device, absmax);
      EXPECT_EQ(device.codes.host(), one["codes"].get<std::vector<uint8_t>>());
      EXPECT_EQ(absmax.host(), one["absmax"].get<std::vector<float>>());
      EXPECT_EQ(device.scale_codes.host(), one["scale_codes"].get<std::vector<uint8_t>>());
      EXPECT_FLOAT_EQ(device.offset.host()[0], one["offset"].get<float>());
      // The mean's last bit is its order of summing.
      EXPECT_TRUE(all_near(device.scale_absmax.host(),
                           one["scale_absmax"].get<std::vector<double>>(), 0, 8e-9));
    }));
  }
  EXPECT_EQ(compared, 2);
}

TYPED_TEST(Nf4Kernel, DequantisesToBitsandbytesBits) {
  using T = TypeParam;
  for (const auto& one : fixture()["nf4"]) {
    if ((one["dtype"] == "bfloat16") != (sizeof(T) == 2)) {
      continue;
    }
    const int64_t count = static_cast<int64_t>(one["weight"].size());
    expect_clean(run([&] {
      Nf4Device device(
          one["codes"].get<std::vector<uint8_t>>(), one["scale_codes"].get<std::vector<uint8_t>>(),
          one["scale_absmax"].get<std::vector<float>>(), one["offset"].get<float>(), count);
      DeviceBuffer<T> out(count, "out");
      launch_nf4_dequantise({.out = out.data(), .from = device.weight, .dtype = dtype_of<T>},
                            nullptr);
      EXPECT_TRUE(all_near(out.host(), one["dequantised"].get<std::vector<double>>(), 0, 0));
    }));
  }
}

// There and back over more than one block of scales: off by half a gap of NF4 and of the scales.
TYPED_TEST(Nf4Kernel, ManyBlocksComeBack) {
  using T = TypeParam;
  const int64_t count = 64 * 300 + 7;
  std::vector<T> values = normal_values<T>(count, 190, 0.02);
  for (int64_t i = 64 * 20; i < 64 * 21; ++i) {
    values[i] = as<T>(0.0);  // a block of zeros
  }
  expect_clean(run([&] {
    Nf4Device device(count);
    DeviceBuffer<float> absmax(nf4_blocks(count), "absmax");
    DeviceBuffer<T> out(count, "out");
    quantise(values, device, absmax);
    launch_nf4_dequantise({.out = out.data(), .from = device.weight, .dtype = dtype_of<T>},
                          nullptr);
    const auto back = out.host();
    const auto scales = absmax.host();
    for (int64_t i = 0; i < count; ++i) {
      // NF4's widest gap is 0.31; a scale is off by a hundredth of the largest deviation.
      const double slack = 0.16 * scales[i / 64] + 0.01 * 0.06 + 4e-4;
      EXPECT_NEAR(value_of(back[i]), value_of(values[i]), slack) << i;
    }
  }));
}

TYPED_TEST(Nf4Kernel, DequantisingMovesItsFloor) {
  using T = TypeParam;
  const int64_t count = 64 * 256;
  Nf4Codes host(count);
  const Outcome outcome = run([&] {
    Nf4Device device(host.codes, host.scale_codes, host.scale_absmax, 0.04f, count);
    DeviceBuffer<T> out(count, "out");
    launch_nf4_dequantise({.out = out.data(), .from = device.weight, .dtype = dtype_of<T>},
                          nullptr);
  });
  expect_clean(outcome);
  const int64_t floor = count * static_cast<int64_t>(sizeof(T)) + count / 2 + 256 + 1024;
  EXPECT_LE(static_cast<double>(outcome.traffic().unique_bytes()), 1.05 * floor);
  EXPECT_LE(outcome.traffic().conflict_factor(), 1.1);
}

TEST(Nf4Shapes, NothingIsLaunchedForNothing) {
  const Outcome outcome = run([] {
    launch_nf4_quantise({}, nullptr);
    launch_nf4_dequantise({}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
}

}  // namespace
}  // namespace plumb::simt
