// The weights that decoding on a device reads, in the format that was asked for. f32 is the model's
// own memory; narrower ones are copies beside it, made when a tensor is first asked for and kept:
// PPO's rollouts over a frozen base convert it once.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <unordered_map>

#include "core/model/decoder.h"
#include "core/ops/quantised_device.h"

namespace plumb {

// bf16, int8 (a scale a row) and nf4 (bitsandbytes' layout, double quantisation) are read by a
// forward pass in bf16; f32 by one in f32.
enum class DeviceFormat { f32, bf16, int8, nf4 };
DeviceFormat device_format_of(const std::string& name);  // throws Error at others

// (O, I); exactly one of the three is there.
struct DeviceWeight {
  at::Tensor dense;
  Int8Tensors int8 = {};
  Nf4Tensors nf4 = {};
};

// x: (N, I) dense, of the weights' forward type -> x W^T (N, O)
at::Tensor product(const at::Tensor& x, const DeviceWeight& weight);

class DeviceWeights {
 public:
  explicit DeviceWeights(DeviceFormat format = DeviceFormat::f32) : format_(format) {}

  // Of the forward pass: activations, cache, norms and adapters.
  at::ScalarType type() const;

  // weight: (O, I) f32 on a device with kernels; it must not change as long as this lives, but for
  // f32.
  const DeviceWeight& get(const at::Tensor& weight);

 private:
  struct Kept {
    at::Tensor source;  // keeps its address from being used again
    DeviceWeight made;
  };
  DeviceWeight make(const at::Tensor& weight) const;

  DeviceFormat format_;
  std::unordered_map<const void*, Kept> kept_;  // by address of the source's first weight
};

}  // namespace plumb
