// Comparison of tensors whose failure says where they part.
#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace plumb::test {

// Largest |a - b|, in float64; NaN when either holds one.
inline double max_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) {
    return 0.0;
  }
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
}

// |got - want| <= absolute + relative * |want| everywhere, same shape, no NaN.
inline testing::AssertionResult all_close(const at::Tensor& got, const at::Tensor& want,
                                          double relative, double absolute) {
  if (!got.defined() || !want.defined()) {
    return testing::AssertionFailure() << (got.defined() ? "want" : "got") << " is undefined";
  }
  if (got.sizes() != want.sizes()) {
    return testing::AssertionFailure() << "got shape " << got.sizes() << ", want " << want.sizes();
  }
  const at::Tensor g = got.detach().to(at::kDouble).contiguous().view(-1);
  const at::Tensor w = want.detach().to(at::kDouble).contiguous().view(-1);
  int64_t wrong = 0, first = -1;
  for (int64_t i = 0; i < g.numel(); ++i) {
    const double a = g.const_data_ptr<double>()[i], b = w.const_data_ptr<double>()[i];
    if (!(std::abs(a - b) <= absolute + relative * std::abs(b))) {
      first = wrong++ == 0 ? i : first;
    }
  }
  if (wrong == 0) {
    return testing::AssertionSuccess();
  }
  std::ostringstream message;
  message.precision(12);
  message << wrong << " of " << g.numel() << " elements of shape " << got.sizes()
          << " differ, the first at flat index " << first << ": got " << g[first].item<double>()
          << ", want " << w[first].item<double>() << "; largest difference " << max_difference(g, w)
          << ", allowed " << absolute << " + " << relative << " |want|";
  return testing::AssertionFailure() << message.str();
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.equal(b);
}

}  // namespace plumb::test
