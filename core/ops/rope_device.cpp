#include "core/ops/rope_device.h"

namespace plumb {

void device_rotate_(const KernelTable& kernels, const at::Tensor& x, const DeviceTurn& by) {
  TORCH_INTERNAL_ASSERT(by.table.cos.is_contiguous() && by.table.sin.is_contiguous() &&
                        by.rows.is_contiguous());
  kernels.rope({.x = x.mutable_data_ptr(),
                .table_rows = by.rows.const_data_ptr<int64_t>(),
                .cos = by.table.cos.const_data_ptr<float>(),
                .sin = by.table.sin.const_data_ptr<float>(),
                .tokens = x.size(0),
                .heads = x.size(1),
                .rotary_dim = 2 * by.table.cos.size(1),
                .row_stride = x.stride(0),
                .head_stride = x.stride(1),
                .turn = by.turn,
                .dtype = kernel_dtype(x)},
               stream_of(x));
}

}  // namespace plumb
