#include "core/model/decode_linears.h"

#include <algorithm>

namespace plumb {
namespace {

constexpr int64_t kRankAlign = 16;  // see decode_linear.h

}  // namespace

const at::Tensor& DecodeLinears::keep(const at::Tensor& tensor) {
  return kept_.emplace_back(tensor.contiguous());
}

DecodeProduct DecodeLinears::product(const ProductWeights& weights, int64_t layer,
                                     const std::vector<LinearSite>& sites, Product which) {
  const DecodeWeight whole = weights_.get(weights.weight, weights.bias);
  DecodeProduct joint{.parts = {}, .a = {}, .out_features = whole.out_features};
  std::vector<at::Tensor> all_a;
  int64_t ranks = 0;
  for (const LinearSite& site : sites) {
    if (site.product != which) {
      continue;
    }
    DecodeProduct::Part part{.weight = weight_rows(whole, site.row, site.outputs),
                             .column = site.row};
    if (adapter_ != nullptr && adapter_->at(layer, site.linear).defined()) {
      const LowRank& pair = adapter_->at(layer, site.linear);
      const int64_t missing = (kRankAlign - pair.a.size(0) % kRankAlign) % kRankAlign;
      all_a.push_back(at::constant_pad_nd(pair.a.detach(), {0, 0, 0, missing}));
      part.b = keep(at::constant_pad_nd(pair.b.detach(), {0, missing}) * adapter_->scale)
                   .const_data_ptr<float>();
      part.rank = pair.a.size(0) + missing;
      part.rank_column = ranks;
      ranks += part.rank;
    }
    joint.parts.push_back(part);
  }
  if (ranks == 0) {
    joint.parts = {{.weight = whole}};
    return joint;
  }
  joint.a = {.values = keep(at::cat(all_a)).const_data_ptr<float>(),
             .out_features = ranks,
             .in_features = whole.in_features};
  highest_rank_ = std::max(highest_rank_, ranks);
  return joint;
}

void DecodeLinears::reserve(int64_t max_rows) {
  scratch_ = at::empty({max_rows, highest_rank_}, at::TensorOptions().dtype(at::kFloat));
}

void DecodeLinears::apply(const DecodeProduct& product, const float* x, int64_t num_rows, float* y,
                          const float* residual) const {
  float* xa = scratch_.mutable_data_ptr<float>();
  const int64_t ranks = product.a.out_features;
  if (ranks > 0) {
    decode_linear(x, num_rows, product.a, {}, {.y = xa, .y_stride = ranks});
  }
  for (const DecodeProduct::Part& part : product.parts) {
    const DecodeLowRank low_rank{.xa = part.b == nullptr ? nullptr : xa + part.rank_column,
                                 .xa_stride = ranks,
                                 .b = part.b,
                                 .rank = part.rank};
    decode_linear(x, num_rows, part.weight, low_rank,
                  {.y = y + part.column,
                   .y_stride = product.out_features,
                   .residual = residual == nullptr ? nullptr : residual + part.column});
  }
}

}  // namespace plumb
