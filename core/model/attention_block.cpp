#include "core/model/attention_block.h"

#include <utility>

#include "core/model/block_inputs.h"
#include "core/model/decoder.h"
#include "core/ops/attention.h"
#include "core/ops/once.h"
#include "core/ops/rms_norm.h"

namespace plumb {
namespace {

using torch::autograd::AutogradContext;

// Order of the function's inputs. kQkvBias is there only in models with a bias; the updates' (a, b)
// follow, qkv's first.
enum Input { kX, kNorm, kQkv, kO, kQkvBias };

struct Saved : torch::CustomClassHolder {
  SharedPass pass;
  AttentionUpdates updates;
  bool has_bias = false;
  at::Tensor rstd;  // (N)
  at::Tensor qkv;   // (N, (H + 2 K) D), q and k rotated
  AttentionOutput attention;
  std::vector<at::Tensor> qkv_narrow;
  std::vector<at::Tensor> o_narrow;
  bool spent = false;
};

// Heads [first, first + count) of a fused q|k|v, (N, count, D).
at::Tensor heads_of(const at::Tensor& qkv, const ForwardPass& pass, int64_t first, int64_t count) {
  return qkv.narrow(1, first * pass.head_dim, count * pass.head_dim)
      .unflatten(1, {count, pass.head_dim});
}

AttentionInputs split(const at::Tensor& qkv, const ForwardPass& pass) {
  return {heads_of(qkv, pass, 0, pass.heads), heads_of(qkv, pass, pass.heads, pass.kv_heads),
          heads_of(qkv, pass, pass.heads + pass.kv_heads, pass.kv_heads), pass.cu_seqlens};
}

// q and k lie next to one another: one sweep turns both.
at::Tensor rotated_part(const at::Tensor& qkv, const ForwardPass& pass) {
  return heads_of(qkv, pass, 0, pass.heads + pass.kv_heads);
}

at::Tensor run_forward(at::TensorList in, Saved& saved) {
  const ForwardPass& pass = *saved.pass;
  saved.rstd = rms_norm_rstd(in[kX], pass.norm_eps);
  {
    const at::Tensor normed = rms_norm_apply(in[kX], in[kNorm], saved.rstd);
    const at::Tensor bias = saved.has_bias ? in[kQkvBias] : at::Tensor();
    saved.qkv = low_rank_linear(normed, in[kQkv], bias, saved.updates.qkv, saved.qkv_narrow);
  }
  rotate_(rotated_part(saved.qkv, pass), pass.positions, pass.rotary);
  saved.attention = attention(split(saved.qkv, pass));
  return low_rank_linear(saved.attention.out.flatten(1), in[kO], in[kX], saved.updates.o,
                         saved.o_narrow);
}

struct Backward {
  AutogradContext* ctx;
  Saved& saved;
  const variable_list& in;
  variable_list grads;

  bool wants(Input input) const { return ctx->needs_input_grad(input); }
  at::Tensor* qkv_update_grads() { return grads.data() + kQkvBias + (saved.has_bias ? 1 : 0); }
  at::Tensor* o_update_grads() { return qkv_update_grads() + 2 * saved.updates.qkv.size(); }

  // grad_y (N, C) -> gradient of q|k|v before rope
  at::Tensor through_attention(const at::Tensor& grad_y) {
    const at::Tensor out = saved.attention.out.flatten(1);
    const at::Tensor grad_out = at::mm(grad_y, in[kO]);
    const auto narrow =
        updates_backward(saved.updates.o, saved.o_narrow, grad_y, grad_out, o_update_grads());
    updates_grad_a(saved.updates.o, out, narrow, o_update_grads());
    if (wants(kO)) {
      grads[kO] = at::mm(grad_y.t(), out);
    }
    at::Tensor grad_qkv = at::empty_like(saved.qkv);
    const AttentionInputs grad_parts = split(grad_qkv, *saved.pass);
    attention_backward(split(saved.qkv, *saved.pass), saved.attention,
                       grad_out.view(saved.attention.out.sizes()),
                       {grad_parts.q, grad_parts.k, grad_parts.v});
    rotate_back_(rotated_part(grad_qkv, *saved.pass), saved.pass->positions, saved.pass->rotary);
    return grad_qkv;
  }

  void through_qkv(const at::Tensor& grad_qkv, const at::Tensor& grad_y) {
    const bool into_norm = wants(kX) || wants(kNorm);
    const at::Tensor grad_normed = into_norm ? at::mm(grad_qkv, in[kQkv]) : at::Tensor();
    const auto narrow = updates_backward(saved.updates.qkv, saved.qkv_narrow, grad_qkv, grad_normed,
                                         qkv_update_grads());
    if (wants(kQkv) || any_a_requires_grad(saved.updates.qkv)) {
      const at::Tensor normed = rms_norm_apply(in[kX], in[kNorm], saved.rstd);
      updates_grad_a(saved.updates.qkv, normed, narrow, qkv_update_grads());
      grads[kQkv] = wants(kQkv) ? at::mm(grad_qkv.t(), normed) : at::Tensor();
    }
    if (saved.has_bias && wants(kQkvBias)) {
      grads[kQkvBias] = grad_qkv.sum(0);
    }
    if (wants(kNorm)) {
      grads[kNorm] = rms_norm_grad_w(grad_normed, in[kX], saved.rstd);
    }
    if (wants(kX)) {
      grads[kX] = rms_norm_grad_x(grad_normed, in[kX], in[kNorm], saved.rstd, grad_y);
    }
  }
};

struct AttentionBlockFunction : torch::autograd::Function<AttentionBlockFunction> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                            const c10::intrusive_ptr<Saved>& saved) {
    ctx->save_for_backward(inputs.vec());
    ctx->saved_data["saved"] = c10::IValue::make_capsule(saved);
    return run_forward(inputs, *saved);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grad_outputs) {
    auto& saved = static_cast<Saved&>(*ctx->saved_data["saved"].toCapsule());
    refuse_second_backward(saved.spent, "attention block");
    const variable_list in = ctx->get_saved_variables();
    const at::Tensor grad_y = grad_outputs[0].contiguous();
    Backward step{ctx, saved, in, variable_list(in.size() + 1)};
    const at::Tensor grad_qkv = step.through_attention(grad_y);
    saved.qkv.reset();
    saved.attention = {};
    step.through_qkv(grad_qkv, grad_y);
    return std::move(step.grads);
  }
};

}  // namespace

at::Tensor attention_block(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                           const AttentionUpdates& updates) {
  auto saved = c10::make_intrusive<Saved>();
  saved->pass = pass;
  saved->updates = updates;
  saved->has_bias = weights.qkv_bias.defined();
  variable_list inputs{x, weights.input_norm, weights.qkv, weights.o};
  if (saved->has_bias) {
    inputs.push_back(weights.qkv_bias);
  }
  append_inputs(inputs, updates.qkv);
  append_inputs(inputs, updates.o);
  if (!at::GradMode::is_enabled() || !any_requires_grad(inputs)) {
    return run_forward(inputs, *saved);
  }
  return AttentionBlockFunction::apply(at::TensorList(inputs), saved);
}

at::Tensor attention_block_ref(const at::Tensor& x, const LayerWeights& weights,
                               const SharedPass& pass, const AttentionUpdates& updates) {
  const at::Tensor normed = rms_norm_ref(x, weights.input_norm, pass->norm_eps);
  const at::Tensor qkv = low_rank_linear_ref(normed, weights.qkv, weights.qkv_bias, updates.qkv);
  AttentionInputs in = split(qkv, *pass);
  in.q = rotate_ref(in.q, pass->positions, pass->rotary);
  in.k = rotate_ref(in.k, pass->positions, pass->rotary);
  return low_rank_linear_ref(attention_ref(in).flatten(1), weights.o, x, updates.o);
}

}  // namespace plumb
