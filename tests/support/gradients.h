// Gradients compared: with autograd over a reference, and with finite differences.
#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "tests/support/allclose.h"

namespace plumb::test {

// d sum(out * weight) / d inputs; undefined where the output does not depend on an input.
inline std::vector<at::Tensor> gradients(const at::Tensor& out, const at::Tensor& weight,
                                         const std::vector<at::Tensor>& inputs) {
  return torch::autograd::grad({out}, inputs, {weight.to(out.scalar_type())},
                               /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

inline at::Tensor random_leaf(at::IntArrayRef shape, at::ScalarType type = at::kDouble,
                              double deviation = 1.0) {
  return at::randn(shape, at::kDouble).mul_(deviation).to(type).set_requires_grad(true);
}

// Largest |analytic - central difference| over `samples` elements of each input, relative to
// 1 + |analytic|. `loss` is a float64 scalar of the inputs, which are moved in place.
inline double finite_difference_error(const std::function<at::Tensor()>& loss,
                                      const std::vector<at::Tensor>& inputs, int64_t samples = 12,
                                      double step = 1e-5) {
  const auto grads = torch::autograd::grad({loss()}, inputs);
  const at::NoGradGuard no_grad;
  double worst = 0.0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const int64_t count = inputs[i].numel();
    double* data = inputs[i].mutable_data_ptr<double>();
    const at::Tensor grad = grads[i].contiguous();
    for (int64_t s = 0; s < std::min(samples, count); ++s) {
      const int64_t at = s * count / std::min(samples, count);
      const double saved = data[at];
      data[at] = saved + step;
      const double above = loss().item<double>();
      data[at] = saved - step;
      const double below = loss().item<double>();
      data[at] = saved;
      const double analytic = grad.const_data_ptr<double>()[at];
      worst = std::max(
          worst, std::abs((above - below) / (2 * step) - analytic) / (1 + std::abs(analytic)));
    }
  }
  return worst;
}

}  // namespace plumb::test
