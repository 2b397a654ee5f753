// Written-out backward passes reuse their buffers and record no graph: they run once.
#pragma once
#include <ATen/core/grad_mode.h>

#include <string>

#include "core/error.h"

namespace plumb {

// Called first in every written-out backward: under create_graph autograd would take its result for
// differentiable.
inline void refuse_double_backward(const char* what) {
  if (at::GradMode::is_enabled()) {
    throw Error(std::string(what) +
                    ": no second derivative (create_graph); its backward is written out by hand "
                    "and differentiable once",
                Exit::failed);
  }
}

// For backward passes that consume what they saved. Sets `spent`.
inline void refuse_second_backward(bool& spent, const char* what) {
  refuse_double_backward(what);
  if (spent) {
    throw Error(std::string(what) +
                    ": backward a second time over the same forward pass; its saved tensors were "
                    "reused as scratch by the first. Run the forward again",
                Exit::failed);
  }
  spent = true;
}

}  // namespace plumb
