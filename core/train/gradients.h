// The gradients of a set of parameters in one flat buffer: zeroed by one call, summed over ranks
// by one all-reduce, and measured in one pass. Each parameter's grad() is a view into it, which
// autograd adds to in place.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/decoder.h"

namespace plumb {

class Gradients {
 public:
  // parameters: f32 leaves that require a gradient. Each starts at a 64-byte boundary.
  explicit Gradients(const std::vector<NamedTensor>& parameters);

  void zero();
  at::Tensor& flat() { return flat_; }                             // (sum of padded sizes) f32
  const std::vector<at::Tensor>& views() const { return views_; }  // as the parameters

  // Global 2-norm, summed in f64 over blocks of fixed size in fixed order: the same bits for any
  // number of threads. NaN or infinite when an element is.
  double norm() const;
  void scale(double factor);

  // Name of the first parameter whose gradient holds a NaN or an infinity; empty when none does.
  std::string first_non_finite() const;
  // Names of the parameters whose gradient is zero everywhere.
  std::vector<std::string> all_zero() const;

 private:
  std::vector<std::string> names_;
  std::vector<at::Tensor> views_;
  at::Tensor flat_;
};

// Name of the first tensor that holds a NaN or an infinity; empty when none does.
std::string first_non_finite(const std::vector<NamedTensor>& tensors);

}  // namespace plumb
