// Products with quantised weights against sums in float64 over the weights that the published NF4
// values (bitsandbytes' own table) and scales give.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/ops/quantised_gemv_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/nf4_device.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Shape {
  int64_t rows, in_width, out_width;
};
// One value, odd widths whose rows begin within bytes and blocks, whole packs, partly filled
// blocks.
const Shape kShapes[] = {{1, 1, 1}, {3, 37, 5}, {1, 256, 9}, {8, 72, 17}, {5, 520, 3}, {2, 128, 8}};

constexpr float kOffset = 0.05f;

template <class T>
std::vector<double> nf4_weight(const Nf4Codes& host, int64_t count) {
  static const auto json =
      nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/bitsandbytes.json"));
  const auto table = json["nf4_map"].get<std::vector<double>>();
  const auto map = json["signed_map"].get<std::vector<double>>();
  std::vector<double> weight;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t block = i / 64;
    const double scale = map[host.scale_codes[block]] * host.scale_absmax[block / 256] + kOffset;
    const int byte = host.codes[i / 2];
    weight.push_back(value_of(as<T>(table[i % 2 == 0 ? byte / 16 : byte % 16] * scale)));
  }
  return weight;
}

template <class T>
std::vector<double> product(const std::vector<T>& x, const std::vector<double>& weight,
                            const Shape& shape) {
  std::vector<double> y(shape.rows * shape.out_width);
  for (int64_t row = 0; row < shape.rows; ++row) {
    for (int64_t out = 0; out < shape.out_width; ++out) {
      for (int64_t i = 0; i < shape.in_width; ++i) {
        y[row * shape.out_width + out] +=
            value_of(x[row * shape.in_width + i]) * weight[out * shape.in_width + i];
      }
    }
  }
  return y;
}

template <class T>
class GemvKernel : public testing::Test {};
TYPED_TEST_SUITE(GemvKernel, Elements);

template <class T>
Outcome run_nf4(const Shape& shape) {
  const int64_t count = shape.in_width * shape.out_width;
  const Nf4Codes host(count);
  const auto x_in = normal_values<T>(shape.rows * shape.in_width, 200);
  const auto want = product(x_in, nf4_weight<T>(host, count), shape);
  return run([&] {
    Nf4Device device(host.codes, host.scale_codes, host.scale_absmax, kOffset, count);
    DeviceBuffer<T> x(x_in, "x"), y(shape.rows * shape.out_width, "y");
    launch_nf4_gemv({.y = y.data(),
                     .x = x.data(),
                     .rows = shape.rows,
                     .in_width = shape.in_width,
                     .out_width = shape.out_width,
                     .dtype = dtype_of<T>},
                    device.weight, nullptr);
    // A weight whose value lies between two of bf16 may round to either: the f32 scale decides.
    const double slack = 3e-6 + (sizeof(T) == 2 ? 4e-4 : 0);
    EXPECT_TRUE(all_near(y.host(), want, 1.01 * kRounding<T>, slack));
  });
}

TYPED_TEST(GemvKernel, Nf4OfEveryShape) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message()
                 << shape.rows << ", " << shape.in_width << " to " << shape.out_width);
    expect_clean(run_nf4<TypeParam>(shape));
  }
}

// code = round(w 127 / absmax), to the nearest but where f32 turns a half over.
template <class T>
std::vector<double> expect_int8(const std::vector<T>& weight, const std::vector<int8_t>& codes,
                                const std::vector<float>& absmax, int64_t width) {
  std::vector<double> most(absmax.size()), decoded;
  for (size_t i = 0; i < weight.size(); ++i) {
    most[i / width] = std::max(most[i / width], std::abs(value_of(weight[i])));
  }
  EXPECT_TRUE(all_near(absmax, most, 0, 0));
  for (size_t i = 0; i < weight.size(); ++i) {
    EXPECT_NEAR(codes[i], value_of(weight[i]) * 127 / most[i / width], 0.5 + 2e-5);
    decoded.push_back(codes[i] * most[i / width] / 127);
  }
  return decoded;
}

template <class T>
Outcome run_int8(const Shape& shape) {
  const auto x_in = normal_values<T>(shape.rows * shape.in_width, 201);
  const auto w_in = normal_values<T>(shape.in_width * shape.out_width, 202, 0.02);
  return run([&] {
    DeviceBuffer<T> x(x_in, "x"), w(w_in, "w"), y(shape.rows * shape.out_width, "y");
    DeviceBuffer<int8_t> codes(shape.in_width * shape.out_width, "codes");
    DeviceBuffer<float> absmax(shape.out_width, "absmax");
    const Int8Weight to{codes.data(), absmax.data()};
    launch_int8_quantise({.to = to,
                          .weight = w.data(),
                          .rows = shape.out_width,
                          .width = shape.in_width,
                          .dtype = dtype_of<T>},
                         nullptr);
    const auto weight = expect_int8(w_in, codes.host(), absmax.host(), shape.in_width);
    launch_int8_gemv({.y = y.data(),
                      .x = x.data(),
                      .rows = shape.rows,
                      .in_width = shape.in_width,
                      .out_width = shape.out_width,
                      .dtype = dtype_of<T>},
                     to, nullptr);
    EXPECT_TRUE(all_near(y.host(), product(x_in, weight, shape), 1.01 * kRounding<T> + 1e-6, 1e-6));
  });
}

TYPED_TEST(GemvKernel, Int8OfEveryShape) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message()
                 << shape.rows << ", " << shape.in_width << " to " << shape.out_width);
    expect_clean(run_int8<TypeParam>(shape));
  }
}

// A weight is read once, whatever the rows of x.
TYPED_TEST(GemvKernel, ReadsTheWeightOnce) {
  const Shape shape{8, 512, 16};
  const Outcome outcome = run_nf4<TypeParam>(shape);
  expect_clean(outcome);
  const int64_t bytes = static_cast<int64_t>(sizeof(TypeParam));
  const int64_t floor = 512 * 16 / 2 + 128 + 8 * 512 * bytes + 8 * 16 * bytes + 1024 + 8;
  EXPECT_LE(static_cast<double>(outcome.traffic().unique_bytes()), 1.05 * floor);
  EXPECT_LE(outcome.traffic().conflict_factor(), 1.1);
}

TEST(GemvShapes, AreRefusedOrEmpty) {
  const Outcome outcome = run([] {
    launch_nf4_gemv({.in_width = 8, .out_width = 8}, {}, nullptr);
    launch_int8_gemv({.in_width = 8, .out_width = 8}, {}, nullptr);
    launch_int8_quantise({.width = 8}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  EXPECT_THROW(launch_nf4_gemv({.rows = 9, .in_width = 8, .out_width = 8}, {}, nullptr), Error);
}

}  // namespace
}  // namespace plumb::simt
