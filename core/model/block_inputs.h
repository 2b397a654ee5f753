// A block as one node of autograd's graph: its inputs in one list, so that gradients come back in
// the same order.
#pragma once
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "core/ops/low_rank_linear.h"

namespace plumb {

using torch::autograd::variable_list;

inline void append_inputs(variable_list& inputs, const std::vector<LowRankUpdate>& updates) {
  for (const LowRankUpdate& update : updates) {
    inputs.push_back(update.a);
    inputs.push_back(update.b);
  }
}

inline bool any_requires_grad(const variable_list& inputs) {
  for (const at::Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) {
      return true;
    }
  }
  return false;
}

inline bool any_a_requires_grad(const std::vector<LowRankUpdate>& updates) {
  for (const LowRankUpdate& update : updates) {
    if (update.a.requires_grad()) {
      return true;
    }
  }
  return false;
}

// The gradients of a linear's updates, after its base product's part of grad_x is there. `narrow`
// receives what low_rank_grad_a needs; grads[first + 2 u + 1] becomes B's gradient.
inline std::vector<at::Tensor> updates_backward(const std::vector<LowRankUpdate>& updates,
                                                const std::vector<at::Tensor>& saved,
                                                const at::Tensor& grad_y, const at::Tensor& grad_x,
                                                at::Tensor* grads) {
  std::vector<at::Tensor> grad_narrow;
  for (std::size_t u = 0; u < updates.size(); ++u) {
    LowRankBackward step = low_rank_backward(updates[u], saved[u], grad_y, grad_x);
    grads[2 * u + 1] = std::move(step.grad_b);
    grad_narrow.push_back(std::move(step.grad_narrow));
  }
  return grad_narrow;
}

// grads[2 u] becomes A's gradient.   x: the input of the linear
inline void updates_grad_a(const std::vector<LowRankUpdate>& updates, const at::Tensor& x,
                           const std::vector<at::Tensor>& grad_narrow, at::Tensor* grads) {
  for (std::size_t u = 0; u < updates.size(); ++u) {
    grads[2 * u] = low_rank_grad_a(updates[u], x, grad_narrow[u]);
  }
}

}  // namespace plumb
