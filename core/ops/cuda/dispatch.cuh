// From run-time dtypes to template arguments.
#pragma once
#include "core/ops/cuda/vectors.cuh"

namespace plumb {

// body(value), whose type is that of the elements.
template <class Body>
void with_dtype(KernelDtype dtype, const Body& body) {
  if (dtype == KernelDtype::bf16) {
    body(bfloat16{});
  } else {
    body(float{});
  }
}

template <int kValue>
struct Constant {
  static constexpr int value = kValue;
};

}  // namespace plumb
