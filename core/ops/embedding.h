// Rows of a table by id.
#pragma once
#include <ATen/ATen.h>

namespace plumb {

// table (V, C), ids (N) int64 in [0, V) -> (N, C), differentiable in the table. The gradient's sums
// are of a fixed order on every device.
at::Tensor embed(const at::Tensor& table, const at::Tensor& ids);

}  // namespace plumb
