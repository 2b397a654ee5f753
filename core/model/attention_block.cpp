#include "core/model/attention_block.h"

#include <utility>

#include "core/model/decoder.h"
#include "core/ops/attention.h"
#include "core/ops/head_norm.h"
#include "core/ops/rms_norm.h"

namespace plumb {
namespace {

// Heads [first, first + count) of a fused q|k|v, (N, count, D).
at::Tensor heads_of(const at::Tensor& qkv, const ForwardPass& pass, int64_t first, int64_t count) {
  return qkv.narrow(1, first * pass.head_dim, count * pass.head_dim)
      .unflatten(1, {count, pass.head_dim});
}

at::Tensor q_of(const at::Tensor& qkv, const ForwardPass& pass) {
  return heads_of(qkv, pass, 0, pass.heads);
}

at::Tensor k_of(const at::Tensor& qkv, const ForwardPass& pass) {
  return heads_of(qkv, pass, pass.heads, pass.kv_heads);
}

at::Tensor v_of(const at::Tensor& qkv, const ForwardPass& pass) {
  return heads_of(qkv, pass, pass.heads + pass.kv_heads, pass.kv_heads);
}

// q and k lie next to one another: one sweep turns both.
at::Tensor turned_part(const at::Tensor& qk, const ForwardPass& pass) {
  return heads_of(qk, pass, 0, pass.heads + pass.kv_heads);
}

void turn(const at::Tensor& qk, const ForwardPass& pass) {
  if (pass.rotary.cos.defined()) {
    rotate_(turned_part(qk, pass), pass.rotary_rows, pass.rotary);
  }
}

// q|k as attention reads them: normed heads go to a new (N, (H + K) D), to be turned there.
at::Tensor normed_heads(at::TensorList in, const at::Tensor& qkv, const ForwardPass& pass) {
  const at::Tensor qk =
      at::empty({qkv.size(0), (pass.heads + pass.kv_heads) * pass.head_dim}, qkv.options());
  head_norm(q_of(qkv, pass), in[kQNorm], pass.norm.eps, q_of(qk, pass));
  head_norm(k_of(qkv, pass), in[kKNorm], pass.norm.eps, k_of(qk, pass));
  turn(qk, pass);
  return qk;
}

struct AttentionBlock : torch::CustomClassHolder {
  static constexpr const char* kName = "attention block";
  BlockEnds ends;
  AttentionOptions options;
  at::Tensor qkv;  // (N, (H + 2 K) D); q and k turned in place unless heads are normed
  AttentionOutput attended;

  AttentionInputs inputs(const at::Tensor& qk) const {
    const ForwardPass& pass = *ends.pass;
    return {q_of(qk, pass), k_of(qk, pass), v_of(qkv, pass), pass.cu_seqlens, options};
  }

  at::Tensor forward(at::TensorList in) {
    qkv = open_block(in, ends);
    if (in[kQNorm].defined()) {
      attended = attention(inputs(normed_heads(in, qkv, *ends.pass)));
    } else {
      turn(qkv, *ends.pass);
      attended = attention(inputs(qkv));
    }
    return close_block(in, attended.out.flatten(1), ends);
  }

  void backward(BlockBackward& step) {
    at::Tensor grad_out = step.into_second();
    step.finish_second(attended.out.flatten(1));
    const at::Tensor grad_qkv = through_attention(step, grad_out);
    grad_out.reset();
    qkv.reset();
    attended = {};
    step.through_first(grad_qkv);
  }

  // grad_out: gradient of attention's output (N, H D) -> gradient of q|k|v as the product gave it
  at::Tensor through_attention(BlockBackward& step, const at::Tensor& grad_out) const {
    const ForwardPass& pass = *ends.pass;
    const bool has_head_norms = step.in[kQNorm].defined();
    const at::Tensor grad = at::empty_like(qkv);
    const at::Tensor grad_bias =
        step.wants(kRelativeBias) ? at::empty_like(step.in[kRelativeBias]) : at::Tensor();
    attention_backward(inputs(has_head_norms ? normed_heads(step.in, qkv, pass) : qkv), attended,
                       grad_out.view(attended.out.sizes()),
                       {q_of(grad, pass), k_of(grad, pass), v_of(grad, pass), grad_bias});
    step.grads[kRelativeBias] = grad_bias;
    if (pass.rotary.cos.defined()) {
      rotate_back_(turned_part(grad, pass), pass.rotary_rows, pass.rotary);
    }
    if (has_head_norms) {
      norm_grads(step, kQNorm, q_of(grad, pass), q_of(qkv, pass));
      norm_grads(step, kKNorm, k_of(grad, pass), k_of(qkv, pass));
    }
    return grad;
  }

  void norm_grads(BlockBackward& step, BlockInput norm, const at::Tensor& grad,
                  const at::Tensor& heads) const {
    step.grads[norm] =
        head_norm_backward_(grad, {heads, step.in[norm], ends.pass->norm.eps, step.wants(norm)});
  }
};

BlockWeights weights_of(const LayerWeights& layer) {
  return {layer.attention_norm, layer.qkv, layer.o, layer.after_attention_norm};
}

}  // namespace

at::Tensor attention_block(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                           const AttentionOptions& options, const BlockUpdates& updates) {
  auto block = c10::make_intrusive<AttentionBlock>();
  block->ends.pass = pass;
  block->ends.updates = updates;
  block->options = options;
  variable_list inputs = block_inputs(x, weights_of(weights), updates);
  inputs[kQNorm] = weights.q_norm.weight;
  inputs[kKNorm] = weights.k_norm.weight;
  inputs[kRelativeBias] = options.relative.table;
  return run_block(block, inputs);
}

at::Tensor attention_block_ref(const at::Tensor& x, const LayerWeights& weights,
                               const SharedPass& pass, const AttentionOptions& options,
                               const BlockUpdates& updates) {
  const at::Tensor qkv = open_block_ref(x, weights_of(weights), pass->norm, updates);
  AttentionInputs in{q_of(qkv, *pass), k_of(qkv, *pass), v_of(qkv, *pass), pass->cu_seqlens,
                     options};
  if (weights.q_norm.weight.defined()) {
    in.q = rms_norm_ref(in.q, weights.q_norm.weight, pass->norm.eps);
    in.k = rms_norm_ref(in.k, weights.k_norm.weight, pass->norm.eps);
  }
  if (pass->rotary.cos.defined()) {
    in.q = rotate_ref(in.q, pass->rotary_rows, pass->rotary);
    in.k = rotate_ref(in.k, pass->rotary_rows, pass->rotary);
  }
  return close_block_ref(x, attention_ref(in).flatten(1), weights_of(weights), pass->norm, updates);
}

}  // namespace plumb
