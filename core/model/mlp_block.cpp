#include "core/model/mlp_block.h"

#include <utility>

#include "core/model/block_inputs.h"
#include "core/model/decoder.h"
#include "core/ops/once.h"
#include "core/ops/rms_norm.h"
#include "core/ops/swiglu.h"

namespace plumb {
namespace {

using torch::autograd::AutogradContext;

// Order of the function's inputs; the updates' (a, b) follow, gate_up's first.
enum Input { kX, kNorm, kGateUp, kDown, kNumWeights };

struct Saved : torch::CustomClassHolder {
  SharedPass pass;
  MlpUpdates updates;
  at::Tensor rstd;     // (N)
  at::Tensor gate_up;  // (N, 2 F)
  std::vector<at::Tensor> gate_up_narrow;
  std::vector<at::Tensor> down_narrow;
  bool spent = false;
};

at::Tensor run_forward(at::TensorList in, Saved& saved) {
  saved.rstd = rms_norm_rstd(in[kX], saved.pass->norm_eps);
  {
    const at::Tensor normed = rms_norm_apply(in[kX], in[kNorm], saved.rstd);
    saved.gate_up =
        low_rank_linear(normed, in[kGateUp], {}, saved.updates.gate_up, saved.gate_up_narrow);
  }
  return low_rank_linear(swiglu(saved.gate_up), in[kDown], in[kX], saved.updates.down,
                         saved.down_narrow);
}

struct Backward {
  AutogradContext* ctx;
  Saved& saved;
  const variable_list& in;
  variable_list grads;

  bool wants(Input input) const { return ctx->needs_input_grad(input); }
  at::Tensor* gate_up_grads() { return grads.data() + kNumWeights; }
  at::Tensor* down_grads() { return gate_up_grads() + 2 * saved.updates.gate_up.size(); }

  // Leaves the gradient of gate|up where gate|up was saved.
  void through_down(const at::Tensor& grad_y) {
    const at::Tensor grad_h = at::mm(grad_y, in[kDown]);
    const auto narrow =
        updates_backward(saved.updates.down, saved.down_narrow, grad_y, grad_h, down_grads());
    swiglu_backward_(saved.gate_up, grad_h);
    const at::Tensor& h = grad_h;
    updates_grad_a(saved.updates.down, h, narrow, down_grads());
    if (wants(kDown)) {
      grads[kDown] = at::mm(grad_y.t(), h);
    }
  }

  void through_gate_up(const at::Tensor& grad_gate_up, const at::Tensor& grad_y) {
    const bool into_norm = wants(kX) || wants(kNorm);
    const at::Tensor grad_normed = into_norm ? at::mm(grad_gate_up, in[kGateUp]) : at::Tensor();
    const auto narrow = updates_backward(saved.updates.gate_up, saved.gate_up_narrow, grad_gate_up,
                                         grad_normed, gate_up_grads());
    if (wants(kGateUp) || any_a_requires_grad(saved.updates.gate_up)) {
      const at::Tensor normed = rms_norm_apply(in[kX], in[kNorm], saved.rstd);
      updates_grad_a(saved.updates.gate_up, normed, narrow, gate_up_grads());
      grads[kGateUp] = wants(kGateUp) ? at::mm(grad_gate_up.t(), normed) : at::Tensor();
    }
    if (wants(kNorm)) {
      grads[kNorm] = rms_norm_grad_w(grad_normed, in[kX], saved.rstd);
    }
    if (wants(kX)) {
      grads[kX] = rms_norm_grad_x(grad_normed, in[kX], in[kNorm], saved.rstd, grad_y);
    }
  }
};

struct MlpBlockFunction : torch::autograd::Function<MlpBlockFunction> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                            const c10::intrusive_ptr<Saved>& saved) {
    ctx->save_for_backward(inputs.vec());
    ctx->saved_data["saved"] = c10::IValue::make_capsule(saved);
    return run_forward(inputs, *saved);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grad_outputs) {
    auto& saved = static_cast<Saved&>(*ctx->saved_data["saved"].toCapsule());
    refuse_second_backward(saved.spent, "MLP block");
    const variable_list in = ctx->get_saved_variables();
    const at::Tensor grad_y = grad_outputs[0].contiguous();
    Backward step{ctx, saved, in, variable_list(in.size() + 1)};
    step.through_down(grad_y);
    const at::Tensor grad_gate_up = std::move(saved.gate_up);
    step.through_gate_up(grad_gate_up, grad_y);
    return std::move(step.grads);
  }
};

}  // namespace

at::Tensor mlp_block(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                     const MlpUpdates& updates) {
  auto saved = c10::make_intrusive<Saved>();
  saved->pass = pass;
  saved->updates = updates;
  variable_list inputs{x, weights.post_norm, weights.gate_up, weights.down};
  append_inputs(inputs, updates.gate_up);
  append_inputs(inputs, updates.down);
  if (!at::GradMode::is_enabled() || !any_requires_grad(inputs)) {
    return run_forward(inputs, *saved);
  }
  return MlpBlockFunction::apply(at::TensorList(inputs), saved);
}

at::Tensor mlp_block_ref(const at::Tensor& x, const LayerWeights& weights, const SharedPass& pass,
                         const MlpUpdates& updates) {
  const at::Tensor normed = rms_norm_ref(x, weights.post_norm, pass->norm_eps);
  const at::Tensor h =
      swiglu_ref(low_rank_linear_ref(normed, weights.gate_up, {}, updates.gate_up));
  return low_rank_linear_ref(h, weights.down, x, updates.down);
}

}  // namespace plumb
