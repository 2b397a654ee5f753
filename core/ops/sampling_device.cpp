#include "core/ops/sampling_device.h"

namespace plumb {

void device_sample(const KernelTable& kernels, const DeviceDraw& draw, const at::Tensor& drawn) {
  const at::Tensor& logits = draw.logits;
  const int64_t rows = logits.size(0);
  TORCH_INTERNAL_ASSERT(logits.stride(1) == 1 && drawn.size(1) == rows && drawn.stride(1) == 1);
  const at::Tensor ids = drawn.select(0, 0), logprobs = drawn.select(0, 1);
  kernels.sample_tokens(
      {.ids = ids.mutable_data_ptr<int32_t>(),
       .logprobs = static_cast<float*>(logprobs.mutable_data_ptr()),
       .logits = logits.const_data_ptr(),
       .seen = draw.seen.defined() ? static_cast<uint32_t*>(draw.seen.mutable_data_ptr()) : nullptr,
       .banned = draw.banned.defined() ? draw.banned.const_data_ptr<int32_t>() : nullptr,
       .is_banning = draw.banned.defined() ? draw.is_banning.const_data_ptr<uint8_t>() : nullptr,
       .sample_ids = static_cast<const uint64_t*>(draw.sample_ids.const_data_ptr()),
       .positions = draw.positions.const_data_ptr<int64_t>(),
       .rows = rows,
       .vocab = logits.size(1),
       .row_stride = logits.stride(0),
       .num_banned = draw.banned.defined() ? draw.banned.numel() : 0,
       .seed = draw.seed,
       .filters = draw.filters,
       .dtype = kernel_dtype(logits)},
      stream_of(logits));
}

}  // namespace plumb
