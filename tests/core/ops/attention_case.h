// Packed batches for the attention tests: a fused q|k|v as training has it, or q and k|v apart.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "core/ops/attention.h"
#include "tests/support/gradients.h"

namespace plumb::test {

struct AttentionShape {
  int64_t heads, kv_heads, width;
};

struct AttentionCase {
  std::string name;
  AttentionShape shape;
  std::vector<int64_t> lengths;
  AttentionOptions options = {};
  std::vector<int64_t> key_lengths = {};  // empty: those of the queries
};

inline std::vector<int64_t> bounds_of(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> bounds{0};
  for (const int64_t length : lengths) {
    bounds.push_back(bounds.back() + length);
  }
  return bounds;
}

// f64 leaves of a case, drawn from a seed of its own, and views of them as the op takes them.
struct AttentionLeaves {
  AttentionCase its;
  at::Tensor q, kv;  // (N, H D) and (M, 2 K D): with equal lengths parts of one fused tensor
  at::Tensor table;  // undefined without a relative bias
  bool is_fused;

  explicit AttentionLeaves(const AttentionCase& c) : its(c), is_fused(c.key_lengths.empty()) {
    at::manual_seed(c.shape.heads * 1000 + c.shape.width);
    const int64_t rows = bounds_of(c.lengths).back();
    const int64_t q_width = c.shape.heads * c.shape.width,
                  kv_width = 2 * c.shape.kv_heads * c.shape.width;
    if (is_fused) {
      fused_ = random_leaf({rows, q_width + kv_width});
      q = fused_.narrow(1, 0, q_width);
      kv = fused_.narrow(1, q_width, kv_width);
    } else {
      q = random_leaf({rows, q_width});
      kv = random_leaf({bounds_of(c.key_lengths).back(), kv_width});
    }
    table = c.options.relative.table.defined()
                ? c.options.relative.table.detach().clone().set_requires_grad(true)
                : at::Tensor();
  }

  std::vector<at::Tensor> leaves() const {
    std::vector<at::Tensor> all = is_fused ? std::vector{fused_} : std::vector{q, kv};
    if (table.defined()) {
      all.push_back(table);
    }
    return all;
  }

  // Views of tensors laid out like leaves().
  AttentionInputs inputs(const std::vector<at::Tensor>& from) const {
    const AttentionShape& s = its.shape;
    const int64_t q_width = s.heads * s.width;
    const at::Tensor queries = is_fused ? from[0].narrow(1, 0, q_width) : from[0];
    const at::Tensor keys =
        is_fused ? from[0].narrow(1, q_width, 2 * s.kv_heads * s.width) : from[1];
    const auto heads = [&](const at::Tensor& x, int64_t first, int64_t count) {
      return x.narrow(1, first * s.width, count * s.width).unflatten(1, {count, s.width});
    };
    AttentionInputs in{heads(queries, 0, s.heads), heads(keys, 0, s.kv_heads),
                       heads(keys, s.kv_heads, s.kv_heads), bounds_of(its.lengths), its.options};
    if (!is_fused) {
      in.key_cu_seqlens = bounds_of(its.key_lengths);
    }
    if (in.options.key_bias.defined()) {
      in.options.key_bias = in.options.key_bias.to(in.q.scalar_type());
    }
    if (table.defined()) {
      in.options.relative.table = from.back();
    }
    return in;
  }

  // Views that gradients are written to.
  AttentionGrads grads(const std::vector<at::Tensor>& to) const {
    const AttentionInputs parts = inputs(to);
    return {parts.q, parts.k, parts.v, table.defined() ? to.back() : at::Tensor()};
  }

 private:
  at::Tensor fused_;
};

inline std::vector<at::Tensor> copies(const std::vector<at::Tensor>& tensors, at::ScalarType type) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& x : tensors) {
    result.push_back(x.detach().to(type));
  }
  return result;
}

inline std::vector<at::Tensor> filled_like(const std::vector<at::Tensor>& tensors, double value) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& x : tensors) {
    result.push_back(at::full_like(x.detach(), value));
  }
  return result;
}

}  // namespace plumb::test
