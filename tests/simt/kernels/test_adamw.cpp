// AdamW with f32 state against Loshchilov & Hutter 2019, algorithm 2, in float64, and against a
// trajectory of torch.optim.AdamW (make_adamw.py).
#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ops/philox.h"
#include "tests/simt/kernels/adamw_case.h"
#include "tests/simt/kernels/gates.h"

namespace plumb::simt {
namespace {

constexpr AdamWWeights kAllKinds[] = {AdamWWeights::f32, AdamWWeights::bf16_with_master,
                                      AdamWWeights::bf16_rounded_by_chance};

// All of a tensor's arrays.
template <class G>
struct Device {
  Device(const AdamWHost<G>& host, AdamWWeights kept)
      : weights(host, kept),
        averages(host.averages, "exp_avg"),
        squares(host.squares, "exp_avg_sq"),
        grads(host.grads, "grads") {}
  AdamWTensor tensor(double weight_decay, uint64_t id) {
    AdamWTensor result{.exp_avg = averages.data(),
                       .exp_avg_sq = squares.data(),
                       .grad = grads.data(),
                       .count = averages.size(),
                       .weight_decay = weight_decay,
                       .id = id};
    weights.put_into(result);
    return result;
  }
  AdamWWeightBuffers weights;
  DeviceBuffer<float> averages, squares;
  DeviceBuffer<G> grads;
};

template <class G>
void launch_on(const std::vector<AdamWTensor>& tensors, AdamWUpdate update) {
  AdamWPlanBuffers plan(adamw_plan(tensors, kAdamWChunk));
  plan.put_into(update);
  update.grad_dtype = dtype_of<G>;
  launch_adamw(update, nullptr);
}

// The bf16 weight lies beside the value; nearest where rounding is not by chance.
void expect_bf16_near(double value, __nv_bfloat16 got, bool is_nearest) {
  const double step = std::abs(value) * (is_nearest ? 0x1p-8 : 0x1p-7);
  EXPECT_NEAR(value_of(got), value, 1.001 * step + 1e-6);
}

template <class G>
void expect_updated(const AdamWHost<G>& host, Device<G>& device, const AdamWUpdate& by,
                    double weight_decay, double scale) {
  std::vector<double> weights, averages, squares;
  for (size_t i = 0; i < host.weights.size(); ++i) {
    const AdamWValue value = adamw_value({host.weights[i], host.averages[i], host.squares[i]},
                                         scale * value_of(host.grads[i]), by, weight_decay);
    weights.push_back(value.weight);
    averages.push_back(value.m);
    squares.push_back(value.v);
  }
  EXPECT_TRUE(all_near(device.averages.host(), averages, 3e-7, 4e-9));
  EXPECT_TRUE(all_near(device.squares.host(), squares, 4e-7, 1e-12));
  if (device.weights.full) {
    EXPECT_TRUE(all_near(device.weights.full->host(), weights, 3e-7, 1e-5 * by.lr));
  }
  if (device.weights.half) {
    const auto half = device.weights.half->host();
    for (size_t i = 0; i < half.size(); ++i) {
      expect_bf16_near(weights[i], half[i], device.weights.full.has_value());
    }
  }
}

template <class G>
class AdamWKernel : public testing::Test {};
TYPED_TEST_SUITE(AdamWKernel, Elements);

TYPED_TEST(AdamWKernel, ManyTensorsInOneLaunch) {
  const std::vector<int64_t> counts{1, 3, 0, 4, 255, 4096, 4097, 5003};
  for (const AdamWWeights kept : kAllKinds) {
    std::vector<AdamWHost<TypeParam>> hosts;
    for (size_t t = 0; t < counts.size(); ++t) {
      hosts.emplace_back(counts[t], 40 + 10 * t, kept);
    }
    for (const int64_t updates : {1, 7}) {
      const AdamWUpdate update{.lr = 0.01, .beta2 = 0.95, .updates = updates, .weights = kept};
      expect_clean(run([&] {
        std::deque<Device<TypeParam>> devices;
        std::vector<AdamWTensor> tensors;
        for (size_t t = 0; t < hosts.size(); ++t) {
          devices.emplace_back(hosts[t], kept);
          tensors.push_back(devices[t].tensor(t % 2 == 0 ? kDecay : 0.0, t));
        }
        launch_on<TypeParam>(tensors, update);
        for (size_t t = 0; t < hosts.size(); ++t) {
          SCOPED_TRACE(testing::Message() << "tensor " << t);
          expect_updated(hosts[t], devices[t], update, t % 2 == 0 ? kDecay : 0.0, 1.0);
        }
      }));
    }
  }
}

TYPED_TEST(AdamWKernel, GradientsAreScaledByTheClip) {
  const AdamWHost<TypeParam> host(300, 50, AdamWWeights::f32);
  expect_clean(run([&] {
    Device<TypeParam> device(host, AdamWWeights::f32);
    DeviceBuffer<GradientClip> clip(std::vector<GradientClip>{{9.0, 0.25f, 1}}, "clip");
    const AdamWUpdate update{.clip = clip.data(), .lr = 0.01, .updates = 3};
    launch_on<TypeParam>({device.tensor(kDecay, 0)}, update);
    expect_updated(host, device, update, kDecay, 0.25);
  }));
}

TYPED_TEST(AdamWKernel, NothingIsWrittenWhenTheNormIsNotFinite) {
  AdamWHost<TypeParam> host(300, 60, AdamWWeights::f32);
  host.grads[7] = as<TypeParam>(std::numeric_limits<double>::infinity());
  expect_clean(run([&] {
    Device<TypeParam> device(host, AdamWWeights::f32);
    DeviceBuffer<GradientClip> clip(1, "clip");
    DeviceBuffer<double> partial(grad_norm_partials(300), "partial");
    launch_grad_norm({.clip = clip.data(),
                      .partial = partial.data(),
                      .grads = device.grads.data(),
                      .count = 300,
                      .max_norm = 1.0,
                      .dtype = dtype_of<TypeParam>},
                     nullptr);
    launch_on<TypeParam>({device.tensor(kDecay, 0)}, {.clip = clip.data(), .lr = 0.01});
    EXPECT_EQ(device.weights.full->host(), host.weights);
    EXPECT_EQ(device.averages.host(), host.averages);
    EXPECT_EQ(device.squares.host(), host.squares);
  }));
}

// The bf16 weight is the master, rounded to nearest, or by chance with philox.h's words: bits.
TEST(AdamWBits, Bf16WeightsOfTheSameF32Values) {
  const AdamWHost<float> host(2053, 70, AdamWWeights::bf16_rounded_by_chance);
  std::vector<float> masters;
  expect_clean(run([&] {
    Device<float> device(host, AdamWWeights::bf16_with_master);
    launch_on<float>({device.tensor(kDecay, 0)},
                     {.lr = 1e-3, .updates = 5, .weights = AdamWWeights::bf16_with_master});
    masters = device.weights.full->host();
    const auto half = device.weights.half->host();
    for (size_t i = 0; i < masters.size(); ++i) {
      EXPECT_EQ(half[i].bits, as<__nv_bfloat16>(masters[i]).bits);
    }
  }));
  constexpr uint64_t kSeed = 0x1234567890ABCDEF, kId = 9;
  expect_clean(run([&] {
    Device<float> device(host, AdamWWeights::bf16_rounded_by_chance);
    launch_on<float>(
        {device.tensor(kDecay, kId)},
        {.lr = 1e-3, .updates = 5, .seed = kSeed, .weights = AdamWWeights::bf16_rounded_by_chance});
    const auto half = device.weights.half->host();
    for (size_t i = 0; i < half.size(); ++i) {
      const auto words = random_words(kSeed, Stream::rounding, kId, uint64_t{5} << 40 | i / 4);
      const uint32_t bits = std::bit_cast<uint32_t>(masters[i]) + (words[i % 4] >> 16);
      EXPECT_EQ(half[i].bits, bits >> 16) << i;
    }
  }));
}

// Steps far below half a bf16 step: rounded to nearest, none would ever move a weight.
TEST(AdamWBits, RoundingByChanceIsRightOnAverage) {
  constexpr int64_t kCount = 8192;
  AdamWHost<float> host(kCount, 80, AdamWWeights::bf16_rounded_by_chance);
  host.weights.assign(kCount, 1.0f);
  host.averages.assign(kCount, 0.0f);
  host.squares.assign(kCount, 0.0f);
  host.grads.assign(kCount, -1.0f);  // the first step is +lr
  expect_clean(run([&] {
    Device<float> device(host, AdamWWeights::bf16_rounded_by_chance);
    launch_on<float>({device.tensor(0.0, 1)},
                     {.lr = 0x1p-9, .seed = 3, .weights = AdamWWeights::bf16_rounded_by_chance});
    double sum = 0;
    for (const __nv_bfloat16 weight : device.weights.half->host()) {
      sum += value_of(weight) - 1.0;
    }
    // A quarter of the weights moves by 2^-7: five standard deviations of that many coins.
    EXPECT_NEAR(sum / kCount, 0x1p-9, 5 * std::sqrt(0.25 * 0.75 / kCount) * 0x1p-7);
  }));
}

TEST(AdamWFixture, FollowsTorch) {
  const auto json = nlohmann::json::parse(std::ifstream("tests/oracle/fixtures/adamw.json"));
  const auto& options = json["options"];
  const auto floats = [](const nlohmann::json& values) { return values.get<std::vector<float>>(); };
  expect_clean(run([&] {
    DeviceBuffer<float> matrix(floats(json["start"]["matrix"]), "matrix"),
        vector(floats(json["start"]["vector"]), "vector"),
        averages(std::vector<float>(36 + 7), "exp_avg"), squares(std::vector<float>(36 + 7), "sq");
    for (size_t step = 0; step < json["steps"].size(); ++step) {
      const auto& one = json["steps"][step];
      std::vector<float> flat = floats(one["gradients"]["matrix"]);
      flat.push_back(0.0f);  // the vector begins at 16 bytes
      for (const float value : floats(one["gradients"]["vector"])) flat.push_back(value);
      DeviceBuffer<float> grads(flat, "grads");
      DeviceBuffer<GradientClip> clip(1, "clip");
      DeviceBuffer<double> partial(1, "partial");
      launch_grad_norm({.clip = clip.data(),
                        .partial = partial.data(),
                        .grads = grads.data(),
                        .count = grads.size(),
                        .max_norm = options["max_grad_norm"]},
                       nullptr);
      const auto tensor = [&](DeviceBuffer<float>& weight, int64_t at, double decay) {
        return AdamWTensor{.weight = weight.data(),
                           .exp_avg = averages.data() + at,
                           .exp_avg_sq = squares.data() + at,
                           .grad = grads.data() + at,
                           .count = weight.size(),
                           .weight_decay = decay};
      };
      launch_on<float>({tensor(matrix, 0, options["weight_decay"]), tensor(vector, 36, 0.0)},
                       {.clip = clip.data(),
                        .lr = one["lr"],
                        .beta1 = options["beta1"],
                        .beta2 = options["beta2"],
                        .eps = options["eps"],
                        .updates = static_cast<int64_t>(step) + 1});
      EXPECT_NEAR(clip.host()[0].norm, one["norm"].get<double>(), 1e-9 * clip.host()[0].norm);
      EXPECT_TRUE(all_near(matrix.host(), one["matrix"].get<std::vector<double>>(), 1e-6, 1e-7));
      EXPECT_TRUE(all_near(vector.host(), one["vector"].get<std::vector<double>>(), 1e-6, 1e-7));
    }
  }));
}

TYPED_TEST(AdamWKernel, MovesItsFloor) {
  constexpr int64_t kCount = 8192;
  constexpr int64_t kGrad = sizeof(TypeParam);
  const int64_t floors[] = {24 + kGrad, 24 + 2 + kGrad, 16 + 4 + kGrad};
  for (int kind = 0; kind < 3; ++kind) {
    const AdamWHost<TypeParam> host(kCount, 90, kAllKinds[kind]);
    const Outcome outcome = run([&] {
      Device<TypeParam> device(host, kAllKinds[kind]);
      launch_on<TypeParam>({device.tensor(kDecay, 0)}, {.lr = 0.1, .weights = kAllKinds[kind]});
    });
    expect_streaming(outcome, kCount * floors[kind] + 200);
  }
}

TEST(AdamWPlanShapes, EmptyOrRefused) {
  const Outcome outcome = run([] {
    launch_adamw({}, nullptr);
    launch_adamw8({}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  AdamWTensor tensor{.count = 5};
  EXPECT_EQ(adamw_plan({tensor, {}, tensor}, 2).first_chunk, (std::vector<int64_t>{0, 3, 6}));
  tensor.grad = reinterpret_cast<const void*>(8);
  EXPECT_THROW(adamw_plan({tensor}, 2), Error);
}

}  // namespace
}  // namespace plumb::simt
