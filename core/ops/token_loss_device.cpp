#include "core/ops/token_loss_device.h"

#include "core/ops/check.h"

namespace plumb {
namespace {

TokenStats empty_stats(const DeviceHeadChunk& chunk) {
  const auto f32 = chunk.logits.options().dtype(at::kFloat);
  const int64_t rows = chunk.logits.size(0);
  return {at::empty({rows}, f32), at::empty({rows}, f32)};
}

HeadRows head_rows(const DeviceHeadChunk& chunk, const TokenStats& to) {
  return {.logits = chunk.logits.mutable_data_ptr(),
          .targets = chunk.targets.const_data_ptr<int64_t>(),
          .logprobs = to.logprobs.mutable_data_ptr<float>(),
          .entropy = to.entropy.mutable_data_ptr<float>(),
          .rows = chunk.logits.size(0),
          .vocab = chunk.logits.size(1),
          .row_stride = chunk.logits.stride(0),
          .inverse_temperature = static_cast<float>(1.0 / chunk.temperature),
          .softcap = static_cast<float>(chunk.softcap),
          .dtype = kernel_dtype(chunk.logits)};
}

}  // namespace

TokenStats device_head_stats(const KernelTable& kernels, const DeviceHeadChunk& chunk) {
  TokenStats stats = empty_stats(chunk);
  kernels.head_stats(head_rows(chunk, stats), stream_of(chunk.logits));
  return stats;
}

TokenStats device_head_loss(const KernelTable& kernels, const DeviceHeadChunk& chunk,
                            const TokenLossKernel& kernel, int64_t begin) {
  TokenStats stats = empty_stats(chunk);
  kernel(kernels, head_rows(chunk, stats), begin, stream_of(chunk.logits));
  return stats;
}

void device_head_gradient(const KernelTable& kernels, const DeviceHeadChunk& chunk,
                          const TokenLossChunk& loss) {
  const int64_t rows = chunk.logits.size(0);
  check_shape(loss.grad_logprobs, {rows}, "token_loss: grad_logprobs");
  const at::Tensor of_logprobs = loss.grad_logprobs.to(at::kFloat).contiguous();
  at::Tensor of_entropy;
  if (loss.grad_entropy.defined()) {
    check_shape(loss.grad_entropy, {rows}, "token_loss: grad_entropy");
    of_entropy = loss.grad_entropy.to(at::kFloat).contiguous();
  }
  const TokenStats again = empty_stats(chunk);
  kernels.head_gradient(
      head_rows(chunk, again),
      {.grad_logprobs = of_logprobs.const_data_ptr<float>(),
       .grad_entropy = of_entropy.defined() ? of_entropy.const_data_ptr<float>() : nullptr},
      stream_of(chunk.logits));
}

}  // namespace plumb
