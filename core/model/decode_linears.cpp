#include "core/model/decode_linears.h"

#include <algorithm>

namespace plumb {
namespace {

constexpr int64_t kRankAlign = 16;  // see decode_linear.h

const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

}  // namespace

DecodeLowRank AdapterTensors::low_rank(int64_t layer, const LinearSite& site) {
  if (adapter_ == nullptr || !adapter_->at(layer, site.linear).defined()) {
    return {};
  }
  const LowRank& pair = adapter_->at(layer, site.linear);
  const int64_t rank = pair.a.size(0);
  const int64_t missing = (kRankAlign - rank % kRankAlign) % kRankAlign;
  const at::Tensor a = at::constant_pad_nd(pair.a.detach(), {0, 0, 0, missing}).contiguous();
  const at::Tensor b = at::constant_pad_nd(pair.b.detach(), {0, missing}).contiguous();
  padded_.push_back(a);
  padded_.push_back(b);
  highest_rank_ = std::max(highest_rank_, rank + missing);
  return {.a = a.const_data_ptr<float>(),
          .b = b.const_data_ptr<float>(),
          .rank = rank + missing,
          .scale = static_cast<float>(adapter_->scale)};
}

DecodeProduct AdapterTensors::product(const ProductWeights& weights, int64_t layer,
                                      const std::vector<LinearSite>& sites, Product which) {
  DecodeProduct joint{{}, weights.weight.size(1), weights.weight.size(0)};
  const float* rows = weights.weight.const_data_ptr<float>();
  const float* biases = data_or_null(weights.bias);
  bool is_adapted = false;
  for (const LinearSite& site : sites) {
    if (site.product != which) {
      continue;
    }
    const DecodeWeight part{rows + site.row * joint.in_features,
                            biases == nullptr ? nullptr : biases + site.row, site.outputs,
                            joint.in_features};
    joint.parts.push_back({part, low_rank(layer, site), site.row});
    is_adapted = is_adapted || joint.parts.back().low_rank.a != nullptr;
  }
  if (!is_adapted) {
    joint.parts = {{{rows, biases, joint.out_features, joint.in_features}, {}, 0}};
  }
  return joint;
}

void AdapterTensors::reserve(int64_t max_rows) {
  scratch_ = at::empty({max_rows, highest_rank_}, at::TensorOptions().dtype(at::kFloat));
}

void AdapterTensors::apply(const DecodeProduct& product, const float* x, int64_t num_rows, float* y,
                           const float* residual) const {
  for (const DecodeProduct::Part& part : product.parts) {
    DecodeLowRank low_rank = part.low_rank;
    low_rank.scratch = scratch_.mutable_data_ptr<float>();
    decode_linear(x, num_rows, part.weight, low_rank,
                  {.y = y + part.column,
                   .y_stride = product.out_features,
                   .residual = residual == nullptr ? nullptr : residual + part.column});
  }
}

}  // namespace plumb
