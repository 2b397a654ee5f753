// A layer's products as decoding applies them: base weights and an adapter's low-rank terms.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/model/decoder.h"
#include "core/ops/decode_linear.h"

namespace plumb {

// Linears over the same input, read at once where no adapter stands between them.
struct DecodeProduct {
  struct Part {
    DecodeWeight weight;
    DecodeLowRank low_rank;
    int64_t column = 0;  // of the joint output
  };
  std::vector<Part> parts;
  int64_t in_features = 0;
  int64_t out_features = 0;
};

// An adapter's A and B with ranks padded as the kernels like them, and room for their products.
class AdapterTensors {
 public:
  explicit AdapterTensors(const Adapter* adapter) : adapter_(adapter) {}

  DecodeProduct product(const ProductWeights& weights, int64_t layer,
                        const std::vector<LinearSite>& sites, Product which);

  // Once all products are made.
  void reserve(int64_t max_rows);

  // y = x W^T and so on, (N, out_features); `residual` null or y itself.
  void apply(const DecodeProduct& product, const float* x, int64_t num_rows, float* y,
             const float* residual) const;

 private:
  DecodeLowRank low_rank(int64_t layer, const LinearSite& site);

  const Adapter* adapter_;
  int64_t highest_rank_ = 0;
  std::vector<at::Tensor> padded_;  // A, B, A, B, ...
  at::Tensor scratch_;
};

}  // namespace plumb
