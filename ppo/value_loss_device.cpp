#include "ppo/value_loss_device.h"

#include <torch/csrc/autograd/custom_function.h>

namespace plumb {
namespace {

using torch::autograd::variable_list;

struct Formed {
  at::Tensor loss;  // ()
  at::Tensor grad;  // (M), of the sum
};

Formed form(const KernelTable& kernels, const ValueTargets& states, double cliprange,
            ValueStats& stats) {
  const at::Tensor values = states.values.detach().contiguous();
  const at::Tensor old_values = states.old_values.contiguous();
  const at::Tensor returns = states.returns.contiguous();
  const auto f64 = values.options().dtype(at::kDouble);
  const at::Tensor sums = at::empty({kValueLossSums}, f64);
  const at::Tensor partial = at::empty({value_loss_scratch(values.numel())}, f64);
  const at::Tensor one = at::ones({1}, values.options());
  const at::Tensor grad = at::empty_like(values);
  kernels.value_loss({.grad_values = grad.mutable_data_ptr<float>(),
                      .sums = sums.mutable_data_ptr<double>(),
                      .partial = partial.mutable_data_ptr<double>(),
                      .values = values.const_data_ptr<float>(),
                      .old_values = old_values.const_data_ptr<float>(),
                      .returns = returns.const_data_ptr<float>(),
                      .scale = one.const_data_ptr<float>(),
                      .count = values.numel(),
                      .cliprange = static_cast<float>(cliprange)},
                     stream_of(values));
  const at::Tensor host = sums.cpu();
  stats.loss += host[0].item<double>();
  stats.clipped += host[1].item<double>();
  stats.states += static_cast<double>(values.numel());
  return {sums[0].to(at::kFloat), grad};
}

struct ValueLossNode : torch::autograd::Function<ValueLossNode> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& /*values*/,
                            const Formed& formed) {
    ctx->save_for_backward({formed.grad});
    return formed.loss;
  }
  static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list grad_outputs) {
    return {ctx->get_saved_variables()[0] * grad_outputs[0], {}};
  }
};

}  // namespace

at::Tensor device_value_loss_sum(const KernelTable& kernels, const ValueTargets& states,
                                 double cliprange, ValueStats& stats) {
  return ValueLossNode::apply(states.values, form(kernels, states, cliprange, stats));
}

}  // namespace plumb
