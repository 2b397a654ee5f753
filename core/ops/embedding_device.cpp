#include "core/ops/embedding_device.h"

#include "core/ops/check.h"

namespace plumb {

at::Tensor device_embedding(const KernelTable& kernels, const at::Tensor& table,
                            const at::Tensor& ids) {
  check_shape(table, {-1, -1}, "embedding: table");
  check_shape(ids, {-1}, "embedding: ids");
  TORCH_INTERNAL_ASSERT(table.is_contiguous() && ids.is_contiguous());
  const at::Tensor out = at::empty({ids.size(0), table.size(1)}, table.options());
  kernels.embedding_forward({.out = out.mutable_data_ptr(),
                             .table = table.const_data_ptr(),
                             .ids = ids.const_data_ptr<int64_t>(),
                             .tokens = ids.size(0),
                             .width = table.size(1),
                             .dtype = kernel_dtype(table)},
                            stream_of(table));
  return out;
}

at::Tensor device_embedding_backward(const KernelTable& kernels, const at::Tensor& grad,
                                     const at::Tensor& ids, int64_t rows) {
  const at::Tensor grad_table = at::zeros({rows, grad.size(1)}, grad.options());
  const auto [sorted, order] = ids.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto [row_ids, inverse, counts] =
      at::unique_consecutive(sorted, /*return_inverse=*/false, /*return_counts=*/true);
  const at::Tensor segments = at::cat({at::zeros({1}, counts.options()), counts.cumsum(0)});
  kernels.embedding_backward({.grad_table = grad_table.mutable_data_ptr(),
                              .grad_out = grad.const_data_ptr(),
                              .order = order.const_data_ptr<int64_t>(),
                              .segments = segments.const_data_ptr<int64_t>(),
                              .row_ids = row_ids.const_data_ptr<int64_t>(),
                              .rows = row_ids.size(0),
                              .width = grad.size(1),
                              .dtype = kernel_dtype(grad)},
                             stream_of(grad));
  return grad_table;
}

}  // namespace plumb
