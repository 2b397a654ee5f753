#include "core/model/device_weights.h"

#include "core/error.h"

namespace plumb {

DeviceFormat device_format_of(const std::string& name) {
  if (name == "f32") return DeviceFormat::f32;
  if (name == "bf16") return DeviceFormat::bf16;
  if (name == "int8") return DeviceFormat::int8;
  if (name == "nf4") return DeviceFormat::nf4;
  throw Error("weights: '" + name + "' is none of f32, bf16, int8, nf4", Exit::usage);
}

at::Tensor product(const at::Tensor& x, const DeviceWeight& weight) {
  if (weight.dense.defined()) {
    return at::mm(x, weight.dense.t());
  }
  const KernelTable& kernels = *kernels_for(x);
  return weight.int8.codes.defined() ? device_product(kernels, x, weight.int8)
                                     : device_product(kernels, x, weight.nf4);
}

at::ScalarType DeviceWeights::type() const {
  return format_ == DeviceFormat::f32 ? at::kFloat : at::kBFloat16;
}

DeviceWeight DeviceWeights::make(const at::Tensor& weight) const {
  const KernelTable& kernels = *kernels_for(weight);
  switch (format_) {
    case DeviceFormat::int8:
      return {.dense = {}, .int8 = device_int8(kernels, weight)};
    case DeviceFormat::nf4:
      return {.dense = {}, .nf4 = device_nf4(kernels, weight)};
    default:
      return {.dense = weight.detach().to(type())};  // of f32 the tensor itself
  }
}

const DeviceWeight& DeviceWeights::get(const at::Tensor& weight) {
  const auto [place, is_new] = kept_.try_emplace(weight.const_data_ptr());
  Kept& kept = place->second;
  if (is_new || kept.source.sizes() != weight.sizes()) {
    kept = {weight, make(weight)};
  }
  return kept.made;
}

}  // namespace plumb
