#include "core/model/block_ends.h"

#include <algorithm>
#include <utility>

#include "core/ops/gemm.h"

namespace plumb {
namespace {

void append_inputs(variable_list& inputs, const std::vector<LowRankUpdate>& updates) {
  for (const LowRankUpdate& update : updates) {
    inputs.push_back(update.a);
    inputs.push_back(update.b);
  }
}

bool any_a_requires_grad(const std::vector<LowRankUpdate>& updates) {
  return std::any_of(updates.begin(), updates.end(),
                     [](const LowRankUpdate& update) { return update.a.requires_grad(); });
}

// Of updates whose (a, b) have their gradients at `grads`, B's gradients and what A's need, which
// is returned.
std::vector<at::Tensor> keep_update_grads(LowRankBackward& step, at::Tensor* grads) {
  for (std::size_t u = 0; u < step.grad_b.size(); ++u) {
    grads[2 * u + 1] = std::move(step.grad_b[u]);
  }
  return std::move(step.grad_narrow);
}

// grads[2 u] becomes A's gradient.   x: the input of the linear
void updates_grad_a(const std::vector<LowRankUpdate>& updates, const at::Tensor& x,
                    const std::vector<at::Tensor>& grad_narrow, at::Tensor* grads) {
  std::vector<at::Tensor> grad_a = low_rank_grad_a(updates, x, grad_narrow);
  for (std::size_t u = 0; u < updates.size(); ++u) {
    grads[2 * u] = std::move(grad_a[u]);
  }
}

}  // namespace

variable_list block_inputs(const at::Tensor& x, const BlockWeights& weights,
                           const BlockUpdates& updates) {
  variable_list inputs{x,
                       {},
                       weights.norm.weight,
                       weights.norm.bias,
                       weights.first.weight,
                       weights.first.bias,
                       weights.second.weight,
                       weights.second.bias,
                       weights.post_norm.weight,
                       weights.post_norm.bias};
  inputs.resize(kNumBlockInputs);
  append_inputs(inputs, updates.first);
  append_inputs(inputs, updates.second);
  return inputs;
}

variable_list number_inputs(const variable_list& inputs, BlockEnds& ends) {
  variable_list defined;
  for (const at::Tensor& input : inputs) {
    ends.node_inputs.push_back(input.defined() ? static_cast<int>(defined.size()) : -1);
    if (input.defined()) {
      defined.push_back(input);
    }
  }
  return defined;
}

variable_list packed(const variable_list& grads, const BlockEnds& ends) {
  variable_list of_defined;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (ends.node_inputs[i] >= 0) {
      of_defined.push_back(grads[i]);
    }
  }
  return of_defined;
}

variable_list unpacked(at::TensorList defined, const BlockEnds& ends) {
  variable_list inputs;
  for (const int place : ends.node_inputs) {
    inputs.push_back(place < 0 ? at::Tensor() : defined[place]);
  }
  return inputs;
}

bool any_requires_grad(const variable_list& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& input) {
    return input.defined() && input.requires_grad();
  });
}

at::Tensor open_block(at::TensorList in, BlockEnds& ends) {
  const Normed normed = norm_forward(in[kX], {in[kNorm], in[kNormBias]}, ends.pass->norm);
  ends.norm = normed.stats;
  return low_rank_linear(normed.y, in[kFirst], in[kFirstBias], ends.updates.first,
                         ends.first_narrow);
}

at::Tensor close_block(at::TensorList in, const at::Tensor& middle, BlockEnds& ends) {
  const at::Tensor& residual = in[kResidual].defined() ? in[kResidual] : in[kX];
  if (!in[kPostNorm].defined()) {
    const at::Tensor y =
        low_rank_linear(middle, in[kSecond], residual, ends.updates.second, ends.second_narrow);
    return in[kSecondBias].defined() ? y.add_(in[kSecondBias]) : y;
  }
  ends.before_post_norm = low_rank_linear(middle, in[kSecond], in[kSecondBias], ends.updates.second,
                                          ends.second_narrow);
  const Normed normed =
      norm_forward(ends.before_post_norm, {in[kPostNorm], in[kPostNormBias]}, ends.pass->norm);
  ends.post_norm = normed.stats;
  return normed.y.add_(residual);
}

BlockBackward::BlockBackward(torch::autograd::AutogradContext* ctx, BlockEnds& saved,
                             const at::Tensor& grad_y)
    : ends(saved),
      in(unpacked(ctx->get_saved_variables(), saved)),
      grads(in.size()),
      ctx_(ctx),
      grad_y_(grad_y.contiguous()) {}

bool BlockBackward::wants(int input) const {
  return ends.node_inputs[input] >= 0 && ctx_->needs_input_grad(ends.node_inputs[input]);
}

at::Tensor BlockBackward::into_second() {
  grad_second_ = grad_y_;
  if (in[kPostNorm].defined()) {
    const NormGrads formed = norm_backward(grad_y_, {ends.before_post_norm,
                                                     in[kPostNorm],
                                                     ends.post_norm,
                                                     {},
                                                     wants(kPostNorm),
                                                     wants(kPostNormBias)});
    grad_second_ = formed.x;
    grads[kPostNorm] = formed.weight;
    grads[kPostNormBias] = formed.bias;
    ends.before_post_norm.reset();
  }
  LowRankBackward step = low_rank_backward(in[kSecond], ends.updates.second, ends.second_narrow,
                                           grad_second_, InputGradient::formed);
  second_narrow_ = keep_update_grads(step, second_update_grads());
  return step.grad_x;
}

void BlockBackward::finish_second(const at::Tensor& middle) {
  updates_grad_a(ends.updates.second, middle, second_narrow_, second_update_grads());
  if (wants(kSecond)) {
    grads[kSecond] = product_of(grad_second_.t(), middle);
  }
  if (wants(kSecondBias)) {
    grads[kSecondBias] = grad_second_.sum(0);
  }
  grad_second_.reset();
}

void BlockBackward::through_first(const at::Tensor& grad_wide) {
  const bool into_norm = wants(kX) || wants(kNorm) || wants(kNormBias);
  LowRankBackward step =
      low_rank_backward(in[kFirst], ends.updates.first, ends.first_narrow, grad_wide,
                        into_norm ? InputGradient::formed : InputGradient::left_out);
  const auto narrow = keep_update_grads(step, first_update_grads());
  if (wants(kFirst) || any_a_requires_grad(ends.updates.first)) {
    const at::Tensor normed =
        norm_again(in[kX], {in[kNorm], in[kNormBias]}, ends.norm, ends.pass->norm);
    updates_grad_a(ends.updates.first, normed, narrow, first_update_grads());
    grads[kFirst] = wants(kFirst) ? product_of(grad_wide.t(), normed) : at::Tensor();
  }
  if (wants(kFirstBias)) {
    grads[kFirstBias] = grad_wide.sum(0);
  }
  first_norm_grads(step.grad_x);
}

void BlockBackward::first_norm_grads(const at::Tensor& grad_normed) {
  const bool has_own_residual = in[kResidual].defined();
  if (wants(kX) || wants(kNorm) || wants(kNormBias)) {
    const NormGrads formed = norm_backward(
        grad_normed, {in[kX], in[kNorm], ends.norm, has_own_residual ? at::Tensor() : grad_y_,
                      wants(kNorm), wants(kNormBias)});
    grads[kX] = formed.x;
    grads[kNorm] = formed.weight;
    grads[kNormBias] = formed.bias;
  }
  if (has_own_residual && wants(kResidual)) {
    grads[kResidual] = grad_y_;
  }
}

at::Tensor open_block_ref(const at::Tensor& x, const BlockWeights& weights, const NormRule& rule,
                          const BlockUpdates& updates) {
  return low_rank_linear_ref(norm_ref(x, weights.norm, rule), weights.first.weight,
                             weights.first.bias, updates.first);
}

at::Tensor close_block_ref(const at::Tensor& residual, const at::Tensor& middle,
                           const BlockWeights& weights, const NormRule& rule,
                           const BlockUpdates& updates) {
  const at::Tensor out =
      low_rank_linear_ref(middle, weights.second.weight, weights.second.bias, updates.second);
  return residual +
         (weights.post_norm.weight.defined() ? norm_ref(out, weights.post_norm, rule) : out);
}

}  // namespace plumb
