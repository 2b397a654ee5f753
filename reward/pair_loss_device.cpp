#include "reward/pair_loss_device.h"

#include <torch/csrc/autograd/custom_function.h>

namespace plumb {
namespace {

using torch::autograd::variable_list;

struct Formed {
  at::Tensor loss;                        // ()
  at::Tensor grad_chosen, grad_rejected;  // (B), of the sum
};

Formed form(const KernelTable& kernels, const PairRewards& rewards, double centering) {
  const at::Tensor chosen = rewards.chosen.detach().contiguous();
  const at::Tensor rejected = rewards.rejected.detach().contiguous();
  const at::Tensor margin = rewards.margin.contiguous();
  const at::Tensor sums = at::empty({kPairLossSums}, chosen.options().dtype(at::kDouble));
  const at::Tensor one = at::ones({1}, chosen.options());
  Formed formed{{}, at::empty_like(chosen), at::empty_like(rejected)};
  kernels.pair_loss({.grad_chosen = formed.grad_chosen.mutable_data_ptr<float>(),
                     .grad_rejected = formed.grad_rejected.mutable_data_ptr<float>(),
                     .sums = sums.mutable_data_ptr<double>(),
                     .chosen = chosen.const_data_ptr<float>(),
                     .rejected = rejected.const_data_ptr<float>(),
                     .margin = margin.const_data_ptr<float>(),
                     .scale = one.const_data_ptr<float>(),
                     .pairs = chosen.numel(),
                     .centering = static_cast<float>(centering)},
                    stream_of(chosen));
  formed.loss = sums[0].to(at::kFloat);
  return formed;
}

struct PairLossNode : torch::autograd::Function<PairLossNode> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& /*chosen*/,
                            const at::Tensor& /*rejected*/, const Formed& formed) {
    ctx->save_for_backward({formed.grad_chosen, formed.grad_rejected});
    return formed.loss;
  }
  static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list grad_outputs) {
    const variable_list saved = ctx->get_saved_variables();
    return {saved[0] * grad_outputs[0], saved[1] * grad_outputs[0], {}};
  }
};

}  // namespace

at::Tensor device_pair_loss_sum(const KernelTable& kernels, const PairRewards& rewards,
                                double centering) {
  return PairLossNode::apply(rewards.chosen, rewards.rejected, form(kernels, rewards, centering));
}

}  // namespace plumb
