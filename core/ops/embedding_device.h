// Rows of a table by id, by kernels (core/ops/embedding_kernel.h).
#pragma once
#include <ATen/ATen.h>

#include "core/ops/backend.h"

namespace plumb {

at::Tensor device_embedding(const KernelTable& kernels, const at::Tensor& table,
                            const at::Tensor& ids);
// grad: (N, C)   ->   (rows, C)
at::Tensor device_embedding_backward(const KernelTable& kernels, const at::Tensor& grad,
                                     const at::Tensor& ids, int64_t rows);

}  // namespace plumb
