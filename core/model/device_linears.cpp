#include "core/model/device_linears.h"

#include <algorithm>

namespace plumb {

DeviceLinear::DeviceLinear(const DeviceWeight& weight, const at::Tensor& bias,
                           const std::vector<Update>& updates, double scale, at::ScalarType type)
    : weight_(&weight), updates_(updates), scale_(scale) {
  if (bias.defined()) {
    bias_ = bias.detach().to(type);
  }
  for (Update& update : updates_) {
    update.pair = {update.pair.a.detach().to(type).contiguous(),
                   update.pair.b.detach().to(type).contiguous()};
  }
}

at::Tensor DeviceLinear::apply(const at::Tensor& x) {
  const at::Tensor y = product(x, *weight_);
  if (bias_.defined()) {
    y.add_(bias_);
  }
  if (!updates_.empty()) {
    add_updates(x, y);
  }
  return y;
}

const DeviceLinear::Sized& DeviceLinear::sized(const at::Tensor& x) {
  const int64_t rows = x.size(0);
  const auto [place, is_new] = sized_.try_emplace(rows);
  if (is_new) {
    std::vector<LowRankGroup> groups;
    for (const Update& update : updates_) {
      const LowRank& pair = update.pair;
      const at::Tensor narrow = at::empty({rows, pair.a.size(0)}, x.options());
      place->second.narrow.push_back(narrow);
      groups.push_back({.begin = 0,
                        .end = rows,
                        .column = update.row,
                        .out_width = pair.b.size(0),
                        .rank = pair.a.size(0),
                        .a = pair.a.const_data_ptr(),
                        .b = pair.b.const_data_ptr(),
                        .narrow = narrow.mutable_data_ptr(),
                        .scale = scale_});
    }
    place->second.groups = copied_beside(x, groups);
  }
  return place->second;
}

void DeviceLinear::add_updates(const at::Tensor& x, const at::Tensor& y) {
  LowRankGroups of{.groups = static_cast<const LowRankGroup*>(sized(x).groups.const_data_ptr()),
                   .count = static_cast<int64_t>(updates_.size()),
                   .max_rows = x.size(0),
                   .in_width = x.size(1),
                   .dtype = kernel_dtype(x)};
  for (const Update& update : updates_) {
    of.max_rank = std::max(of.max_rank, update.pair.a.size(0));
    of.max_out = std::max(of.max_out, update.pair.b.size(0));
  }
  kernels_for(x)->low_rank_forward({.of = of,
                                    .x = x.const_data_ptr(),
                                    .y = y.mutable_data_ptr(),
                                    .x_stride = x.stride(0),
                                    .y_stride = y.stride(0)},
                                   stream_of(x));
}

DeviceLinear device_linear(DeviceWeights& weights, const ProductWeights& product,
                           const std::vector<LinearSite>& sites, Product which,
                           const Adapter* adapter, int64_t layer) {
  std::vector<DeviceLinear::Update> updates;
  for (const LinearSite& site : sites) {
    if (site.product == which && adapter != nullptr && adapter->at(layer, site.linear).defined()) {
      updates.push_back({site.row, adapter->at(layer, site.linear)});
    }
  }
  return {weights.get(product.weight), product.bias, updates,
          adapter == nullptr ? 1.0 : adapter->scale, weights.type()};
}

}  // namespace plumb
