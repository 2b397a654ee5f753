// A layer's products as decoding applies them: base weights and an adapter's low-rank terms.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/model/decode_weights.h"
#include "core/model/decoder.h"
#include "core/ops/decode_linear.h"

namespace plumb {

// Linears over the same input, read at once where no adapter stands between them.
struct DecodeProduct {
  struct Part {
    DecodeWeight weight;
    const float* b = nullptr;  // (O, R) of the adapter, times its scale; null: no adapter
    int64_t rank = 0;          // R
    int64_t rank_column = 0;   // where its x A^T begins in the joint one
    int64_t column = 0;        // of the joint output
  };
  std::vector<Part> parts;
  DecodeWeight a;  // (all parts' R, I); no values without an adapter
  int64_t out_features = 0;
};

// Makes products and applies them; keeps an adapter's A and B with ranks padded as the kernels like
// them, and room for their products.
class DecodeLinears {
 public:
  // Keeps both; `adapter` may be null.
  DecodeLinears(DecodeWeights& weights, const Adapter* adapter)
      : weights_(weights), adapter_(adapter) {}

  DecodeProduct product(const ProductWeights& weights, int64_t layer,
                        const std::vector<LinearSite>& sites, Product which);

  // Once all products are made.
  void reserve(int64_t max_rows);

  // y = x W^T and so on, (N, out_features); `residual` null or y itself.
  void apply(const DecodeProduct& product, const float* x, int64_t num_rows, float* y,
             const float* residual) const;

 private:
  const at::Tensor& keep(const at::Tensor& tensor);

  DecodeWeights& weights_;
  const Adapter* adapter_;
  int64_t highest_rank_ = 0;      // of a product's parts together
  std::vector<at::Tensor> kept_;  // A and B
  at::Tensor scratch_;            // (max_rows, highest_rank)
};

}  // namespace plumb
