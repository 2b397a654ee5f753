// A layer's products as decoding on a device applies them: base weights and an adapter's low-rank
// terms, in one launch whatever the number of linears that read the same input.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/device_weights.h"

namespace plumb {

// One product for decoding: y = x W^T + b, and the adapter's updates of its linears.
class DeviceLinear {
 public:
  // Keeps `weight`. `pairs`: with their first row in the product; a and b are copied as `type`.
  struct Update {
    int64_t row = 0;
    LowRank pair;
  };
  DeviceLinear(const DeviceWeight& weight, const at::Tensor& bias,
               const std::vector<Update>& updates, double scale, at::ScalarType type);

  // x: (N, I) dense -> (N, O). Uploads its table of updates when it first sees an N: do so before
  // the work is recorded (core/ops/device_graph.h).
  at::Tensor apply(const at::Tensor& x);

 private:
  void add_updates(const at::Tensor& x, const at::Tensor& y);

  struct Sized {
    at::Tensor groups;               // LowRankGroup structs, as bytes
    std::vector<at::Tensor> narrow;  // (N, R) of each
  };
  const Sized& sized(const at::Tensor& x);

  const DeviceWeight* weight_;
  at::Tensor bias_;
  std::vector<Update> updates_;
  double scale_;
  std::map<int64_t, Sized> sized_;  // by N
};

// The linears of one product of a layer, with what `adapter` (null: none) adds to them.
DeviceLinear device_linear(DeviceWeights& weights, const ProductWeights& product,
                           const std::vector<LinearSite>& sites, Product which,
                           const Adapter* adapter, int64_t layer);

}  // namespace plumb
