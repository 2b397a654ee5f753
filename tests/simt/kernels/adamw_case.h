// Tensors that an AdamW test updates, on the device and in float64.
#pragma once
#include <cmath>
#include <deque>
#include <optional>
#include <vector>

#include "core/ops/adamw_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {

inline constexpr double kDecay = 0.1;

// Loshchilov & Hutter 2019, algorithm 2, for one value.
struct AdamWValue {
  double weight, m, v;
};
inline AdamWValue adamw_value(const AdamWValue& old, double grad, const AdamWUpdate& by,
                              double weight_decay) {
  const double t = static_cast<double>(by.updates);
  const double m = by.beta1 * old.m + (1 - by.beta1) * grad;
  const double v = by.beta2 * old.v + (1 - by.beta2) * grad * grad;
  const double step =
      m / (1 - std::pow(by.beta1, t)) / (std::sqrt(v / (1 - std::pow(by.beta2, t))) + by.eps);
  return {old.weight - by.lr * (step + weight_decay * old.weight), m, v};
}

template <class G>
struct AdamWHost {
  AdamWHost(int64_t count, uint64_t seed, AdamWWeights kept)
      : weights(kept == AdamWWeights::bf16_rounded_by_chance
                    ? rounded(normal_values<float>(count, seed))
                    : normal_values<float>(count, seed)),
        averages(normal_values<float>(count, seed + 1, 0.01)),
        squares(normal_values<float>(count, seed + 2, 0.01)),
        grads(normal_values<G>(count, seed + 3, 0.05)) {
    for (float& square : squares) {
      square = square * square + 1e-5f;
    }
  }
  static std::vector<float> rounded(std::vector<float> values) {
    for (float& value : values) {
      value = static_cast<float>(value_of(as<__nv_bfloat16>(value)));
    }
    return values;
  }
  std::vector<__nv_bfloat16> bf16_weights() const {
    std::vector<__nv_bfloat16> result;
    for (const float weight : weights) {
      result.push_back(as<__nv_bfloat16>(weight));
    }
    return result;
  }
  std::vector<float> weights, averages, squares;
  std::vector<G> grads;
};

// Weights of a tensor on the device, as `kept` says.
struct AdamWWeightBuffers {
  template <class G>
  AdamWWeightBuffers(const AdamWHost<G>& host, AdamWWeights kept) {
    if (kept != AdamWWeights::bf16_rounded_by_chance) {
      full.emplace(host.weights, "weights f32");
    }
    if (kept != AdamWWeights::f32) {
      half.emplace(host.bf16_weights(), "weights bf16");
    }
  }
  void put_into(AdamWTensor& tensor) {
    tensor.weight = half ? static_cast<void*>(half->data()) : full->data();
    tensor.master = half && full ? full->data() : nullptr;
  }
  std::optional<DeviceBuffer<float>> full;
  std::optional<DeviceBuffer<__nv_bfloat16>> half;
};

struct AdamWPlanBuffers {
  explicit AdamWPlanBuffers(const AdamWPlan& plan)
      : tensors(plan.tensors, "tensors"), first_chunk(plan.first_chunk, "first_chunk") {}
  void put_into(AdamWUpdate& update) {
    update.tensors = tensors.data();
    update.first_chunk = first_chunk.data();
    update.num_tensors = tensors.size();
    update.chunks = first_chunk.host().back();
  }
  DeviceBuffer<AdamWTensor> tensors;
  DeviceBuffer<int64_t> first_chunk;
};

}  // namespace plumb::simt
