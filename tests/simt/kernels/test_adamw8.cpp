// AdamW with 8-bit state: codes and scales against bitsandbytes' own (make_bitsandbytes.py), steps
// against Loshchilov & Hutter 2019, algorithm 2, from the decoded state in float64.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ops/dynamic_map.h"
#include "tests/simt/kernels/adamw_case.h"
#include "tests/simt/kernels/gates.h"

namespace plumb::simt {
namespace {

const nlohmann::json& fixture() {
  static const auto json =
      nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/bitsandbytes.json"));
  return json;
}

std::vector<float> both_maps() {
  const auto averages = dynamic_map(true), squares = dynamic_map(false);
  std::vector<float> maps(averages.begin(), averages.end());
  maps.insert(maps.end(), squares.begin(), squares.end());
  return maps;
}

template <class G>
struct State {
  explicit State(int64_t count) : codes(count), square_codes(count) {
    for (int64_t i = 0; i < count; ++i) {
      codes[i] = static_cast<uint8_t>((37 * i + 11) % 256);
      square_codes[i] = static_cast<uint8_t>((91 * i + 5) % 256);
    }
    for (int64_t b = 0; b < (count + 255) / 256; ++b) {
      absmax.push_back(0.02f + 0.01f * static_cast<float>(b));
      square_absmax.push_back(4e-4f / static_cast<float>(b + 1));
    }
  }
  std::vector<uint8_t> codes, square_codes;
  std::vector<float> absmax, square_absmax;
};

template <class G>
struct Device {
  Device(const AdamWHost<G>& host, const State<G>& state, AdamWWeights kept)
      : weights(host, kept),
        codes(state.codes, "exp_avg"),
        square_codes(state.square_codes, "exp_avg_sq"),
        absmax(state.absmax, "absmax"),
        square_absmax(state.square_absmax, "absmax_sq"),
        grads(host.grads, "grads") {}
  AdamWTensor tensor(double weight_decay) {
    AdamWTensor result{.exp_avg = codes.data(),
                       .exp_avg_sq = square_codes.data(),
                       .absmax_avg = absmax.data(),
                       .absmax_sq = square_absmax.data(),
                       .grad = grads.data(),
                       .count = codes.size(),
                       .weight_decay = weight_decay,
                       .id = 2};
    weights.put_into(result);
    return result;
  }
  AdamWWeightBuffers weights;
  DeviceBuffer<uint8_t> codes, square_codes;
  DeviceBuffer<float> absmax, square_absmax;
  DeviceBuffer<G> grads;
};

template <class G>
void launch_on(const std::vector<AdamWTensor>& tensors, AdamWUpdate update) {
  AdamWPlanBuffers plan(adamw_plan(tensors, kAdamW8Chunk));
  DeviceBuffer<float> maps(both_maps(), "maps");
  plan.put_into(update);
  update.dynamic_maps = maps.data();
  update.grad_dtype = dtype_of<G>;
  launch_adamw8(update, nullptr);
}

// Half the distance of the two codes around a value, the error that a right code may have.
double half_gap(const std::array<float, 256>& map, double x) {
  size_t above = 1;
  while (above < 255 && map[above] < x) {
    ++above;
  }
  return std::max<double>(map[above] - map[above - 1], 1e-7) / 2;
}

template <class G>
void expect_updated(const AdamWHost<G>& host, const State<G>& old, Device<G>& device,
                    const AdamWUpdate& by, double weight_decay) {
  const auto map = dynamic_map(true), square_map = dynamic_map(false);
  const auto codes = device.codes.host(), square_codes = device.square_codes.host();
  const auto absmax = device.absmax.host(), square_absmax = device.square_absmax.host();
  std::vector<double> most(absmax.size()), most_square(absmax.size()), weights;
  for (size_t i = 0; i < codes.size(); ++i) {
    const size_t b = i / 256;
    const AdamWValue value =
        adamw_value({host.weights[i], double{map[old.codes[i]]} * old.absmax[b],
                     double{square_map[old.square_codes[i]]} * old.square_absmax[b]},
                    value_of(host.grads[i]), by, weight_decay);
    most[b] = std::max(most[b], std::abs(value.m));
    most_square[b] = std::max(most_square[b], value.v);
    weights.push_back(value.weight);
    // -1 has no code: there the error is up to 0.01.
    const double m = value.m / absmax[b], v = value.v / square_absmax[b];
    EXPECT_NEAR(map[codes[i]], m, 1.001 * half_gap(map, m) + 1e-6 + (m < -0.99 ? 0.01 : 0)) << i;
    EXPECT_NEAR(square_map[square_codes[i]], v, 1.001 * half_gap(square_map, v) + 1e-6) << i;
  }
  EXPECT_TRUE(all_near(absmax, most, 3e-7, 0));
  EXPECT_TRUE(all_near(square_absmax, most_square, 4e-7, 0));
  if (device.weights.full) {
    EXPECT_TRUE(all_near(device.weights.full->host(), weights, 3e-7, 1e-5 * by.lr));
  } else {
    EXPECT_TRUE(all_near(device.weights.half->host(), weights, 1.001 * 0x1p-7, 1e-6));
  }
}

template <class G>
class AdamW8Kernel : public testing::Test {};
TYPED_TEST_SUITE(AdamW8Kernel, Elements);

TYPED_TEST(AdamW8Kernel, StepsFromTheDecodedState) {
  const std::vector<int64_t> counts{1, 255, 2048, 2051, 515};
  for (const AdamWWeights kept :
       {AdamWWeights::f32, AdamWWeights::bf16_with_master, AdamWWeights::bf16_rounded_by_chance}) {
    const AdamWUpdate update{.lr = 0.01, .eps = 1e-4, .updates = 4, .weights = kept};
    std::vector<AdamWHost<TypeParam>> hosts;
    std::vector<State<TypeParam>> states;
    for (size_t t = 0; t < counts.size(); ++t) {
      hosts.emplace_back(counts[t], 100 + 10 * t, kept);
      states.emplace_back(counts[t]);
    }
    expect_clean(run([&] {
      std::deque<Device<TypeParam>> devices;
      std::vector<AdamWTensor> tensors;
      for (size_t t = 0; t < hosts.size(); ++t) {
        devices.emplace_back(hosts[t], states[t], kept);
        tensors.push_back(devices[t].tensor(kDecay));
      }
      launch_on<TypeParam>(tensors, update);
      for (size_t t = 0; t < hosts.size(); ++t) {
        SCOPED_TRACE(testing::Message() << "tensor " << t);
        expect_updated(hosts[t], states[t], devices[t], update, kDecay);
      }
    }));
  }
}

TEST(AdamW8Fixture, MapsAreBitsandbytes) {
  const auto averages = dynamic_map(true), squares = dynamic_map(false);
  EXPECT_EQ(std::vector<float>(averages.begin(), averages.end()),
            fixture()["signed_map"].get<std::vector<float>>());
  EXPECT_EQ(std::vector<float>(squares.begin(), squares.end()),
            fixture()["unsigned_map"].get<std::vector<float>>());
}

// With betas of 0 the state is the gradient and its square: codes and scales of quantize_blockwise.
TEST(AdamW8Fixture, CodesAndScalesAreBitsandbytes) {
  const auto& want = fixture()["eight_bit"];
  const auto values = want["values"].get<std::vector<float>>();
  AdamWHost<float> host(static_cast<int64_t>(values.size()), 1, AdamWWeights::f32);
  host.grads = values;
  const State<float> state(static_cast<int64_t>(values.size()));
  expect_clean(run([&] {
    Device<float> device(host, state, AdamWWeights::f32);
    launch_on<float>({device.tensor(0.0)}, {.lr = 0.01, .beta1 = 0.0, .beta2 = 0.0});
    EXPECT_EQ(device.codes.host(), want["codes"].get<std::vector<uint8_t>>());
    EXPECT_EQ(device.absmax.host(), want["absmax"].get<std::vector<float>>());
    EXPECT_EQ(device.square_codes.host(), want["square_codes"].get<std::vector<uint8_t>>());
    EXPECT_EQ(device.square_absmax.host(), want["square_absmax"].get<std::vector<float>>());
  }));
}

// A block of zeros decodes to zeros; an average that is nearest to 0 keeps its sign.
TEST(AdamW8Values, ZerosAndSmallAverages) {
  AdamWHost<float> host(256, 3, AdamWWeights::f32);
  host.grads.assign(256, 0.0f);
  const State<float> state(256);
  const AdamWUpdate update{.lr = 0.01, .beta1 = 0.0, .beta2 = 0.0};
  expect_clean(run([&] {
    Device<float> device(host, state, AdamWWeights::f32);
    launch_on<float>({device.tensor(0.0)}, update);
    EXPECT_EQ(device.weights.full->host(), host.weights);
    EXPECT_EQ(device.absmax.host()[0], 0.0f);
    EXPECT_EQ(device.codes.host(), std::vector<uint8_t>(256, 127));
    EXPECT_EQ(device.square_codes.host(), std::vector<uint8_t>(256, 0));
  }));
  host.grads[0] = 1.0f;
  host.grads[1] = -1e-8f;
  host.grads[2] = 1e-8f;
  expect_clean(run([&] {
    Device<float> device(host, state, AdamWWeights::f32);
    launch_on<float>({device.tensor(0.0)}, update);
    const auto codes = device.codes.host();
    EXPECT_EQ(codes[0], 255);
    EXPECT_EQ(codes[1], 126);
    EXPECT_EQ(codes[2], 127);
  }));
}

// Random codes fall on the same bank of the maps: no gate on conflicts (bench/kernels/gates.cpp).
TYPED_TEST(AdamW8Kernel, MovesItsFloor) {
  constexpr int64_t kCount = 16384;
  const AdamWHost<TypeParam> host(kCount, 7, AdamWWeights::f32);
  const State<TypeParam> state(kCount);
  const Outcome outcome = run([&] {
    Device<TypeParam> device(host, state, AdamWWeights::f32);
    launch_on<TypeParam>({device.tensor(kDecay)}, {.lr = 0.1});
  });
  expect_clean(outcome);
  const int64_t floor = kCount * (8 + static_cast<int64_t>(sizeof(TypeParam)) + 4) + kCount / 16;
  EXPECT_LE(static_cast<double>(outcome.traffic().unique_bytes()), 1.05 * floor + 2500);
  EXPECT_GE(outcome.traffic().sector_efficiency(), 0.95);
}

}  // namespace
}  // namespace plumb::simt
