// Shape rules of the ops, said once.
#pragma once
#include <ATen/ATen.h>

#include <sstream>
#include <string>

#include "core/error.h"

namespace plumb {

// -1 in `wanted` stands for any size.
inline void check_shape(const at::Tensor& tensor, at::IntArrayRef wanted, const char* name) {
  bool fits = tensor.defined() && tensor.dim() == static_cast<int64_t>(wanted.size());
  for (int64_t d = 0; fits && d < tensor.dim(); ++d) {
    fits = wanted[d] < 0 || tensor.size(d) == wanted[d];
  }
  if (fits) {
    return;
  }
  std::ostringstream message;
  message << name << " must have shape " << wanted << " (-1: any), got ";
  if (tensor.defined()) {
    message << tensor.sizes();
  } else {
    message << "an undefined tensor";
  }
  throw Error(message.str());
}

inline void check_same_type(const at::Tensor& tensor, const at::Tensor& like, const char* name) {
  if (tensor.scalar_type() != like.scalar_type() || tensor.device() != like.device()) {
    throw Error(std::string(name) + " must be " + c10::toString(like.scalar_type()) + " on " +
                like.device().str() + ", got " + c10::toString(tensor.scalar_type()) + " on " +
                tensor.device().str());
  }
}

// Loops of the ops walk rows whose last dimension is dense.
inline void check_dense_rows(const at::Tensor& tensor, const char* name) {
  if (tensor.dim() == 0 || tensor.stride(-1) != 1) {
    throw Error(std::string(name) + " must be dense in its last dimension");
  }
}

}  // namespace plumb
