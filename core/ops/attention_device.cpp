#include "core/ops/attention_device.h"

#include <algorithm>

namespace plumb {
namespace {

int64_t longest(const std::vector<int64_t>& bounds) {
  int64_t most = 0;
  for (size_t b = 1; b < bounds.size(); ++b) {
    most = std::max(most, bounds[b] - bounds[b - 1]);
  }
  return most;
}

void check_dense_heads(const at::Tensor& x) {
  TORCH_INTERNAL_ASSERT(x.stride(2) == 1 && (x.size(1) <= 1 || x.stride(1) == x.size(2)));
}

// The kernels' inputs, and the copies that they point into.
struct VarlenCall {
  explicit VarlenCall(const AttentionInputs& in)
      : cu_queries(copied_beside(in.q, in.cu_seqlens)),
        cu_keys(in.key_cu_seqlens.empty() ? cu_queries : copied_beside(in.q, in.key_cu_seqlens)) {
    for (const at::Tensor& x : {in.q, in.k, in.v}) {
      check_dense_heads(x);
    }
    if (in.options.key_bias.defined()) {
      key_bias = in.options.key_bias.to(at::kFloat).contiguous();
    }
    const AttentionOptions& options = in.options;
    inputs = {.q = in.q.const_data_ptr(),
              .k = in.k.const_data_ptr(),
              .v = in.v.const_data_ptr(),
              .cu_queries = static_cast<const int64_t*>(cu_queries.const_data_ptr()),
              .cu_keys = static_cast<const int64_t*>(cu_keys.const_data_ptr()),
              .key_bias = key_bias.defined() ? key_bias.const_data_ptr<float>() : nullptr,
              .rows = in.q.size(0),
              .sequences = static_cast<int64_t>(in.cu_seqlens.size()) - 1,
              .max_queries = longest(in.cu_seqlens),
              .max_keys = longest(in.key_bounds()),
              .heads = in.q.size(1),
              .kv_heads = in.k.size(1),
              .head_dim = in.q.size(2),
              .q_stride = in.q.stride(0),
              .k_stride = in.k.stride(0),
              .v_stride = in.v.stride(0),
              .bias_stride = key_bias.defined() ? key_bias.stride(0) : 0,
              .scale = static_cast<float>(in.scale()),
              .softcap = static_cast<float>(options.softcap),
              .window = options.window,
              .is_causal = options.is_causal,
              .dtype = kernel_dtype(in.q)};
  }

  at::Tensor cu_queries, cu_keys;  // bytes
  at::Tensor key_bias;
  VarlenInputs inputs;
};

}  // namespace

AttentionOutput device_attention(const KernelTable& kernels, const AttentionInputs& in) {
  const VarlenCall call(in);
  AttentionOutput result{at::empty(in.q.sizes(), in.q.options()),
                         at::empty({in.q.size(1), in.q.size(0)}, in.q.options().dtype(at::kFloat))};
  kernels.varlen_forward({.in = call.inputs,
                          .out = result.out.mutable_data_ptr(),
                          .log_sum_exp = result.log_sum_exp.mutable_data_ptr<float>()},
                         stream_of(in.q));
  return result;
}

void device_attention_backward(const KernelTable& kernels, const AttentionInputs& in,
                               const AttentionOutput& saved, const at::Tensor& grad_out,
                               const AttentionGrads& grad) {
  const VarlenCall call(in);
  for (const at::Tensor& x : {grad.q, grad.k, grad.v}) {
    check_dense_heads(x);
  }
  const at::Tensor dense_grad = grad_out.contiguous();
  const at::Tensor delta = at::empty_like(saved.log_sum_exp);
  kernels.varlen_backward({.in = call.inputs,
                           .out = saved.out.const_data_ptr(),
                           .grad_out = dense_grad.const_data_ptr(),
                           .log_sum_exp = saved.log_sum_exp.const_data_ptr<float>(),
                           .delta = delta.mutable_data_ptr<float>(),
                           .grad_q = grad.q.mutable_data_ptr(),
                           .grad_k = grad.k.mutable_data_ptr(),
                           .grad_v = grad.v.mutable_data_ptr(),
                           .grad_q_stride = grad.q.stride(0),
                           .grad_k_stride = grad.k.stride(0),
                           .grad_v_stride = grad.v.stride(0)},
                          stream_of(in.q));
}

}  // namespace plumb
