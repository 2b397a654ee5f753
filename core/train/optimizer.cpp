#include "core/train/optimizer.h"

#include <cmath>
#include <map>
#include <string>

#include "core/error.h"
#include "core/model/tensor_files.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

const std::vector<NamedTensor>& requiring_grad(const std::vector<NamedTensor>& parameters) {
  for (const auto& [name, tensor] : parameters) tensor.set_requires_grad(true);
  return parameters;
}

}  // namespace

void copy_into(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& tensors,
               const std::string& what) {
  std::map<std::string, at::Tensor> by_name;
  for (const auto& [name, tensor] : tensors) by_name[name] = tensor;
  at::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      throw Error(what + " lacks the tensor '" + name + "': it is of another model or adapter");
    }
    if (found->second.sizes() != parameter.sizes()) {
      throw Error(what + ": tensor '" + name + "' must be " + shape_text(parameter.sizes()) +
                  ", got " + shape_text(found->second.sizes()) +
                  ": it is of another model or adapter");
    }
    parameter.copy_(found->second);
    by_name.erase(found);
  }
  if (!by_name.empty()) {
    throw Error(what + " holds the tensor '" + by_name.begin()->first +
                "', which this run does not train: it is of another model or adapter");
  }
}

AdamW::AdamW(std::vector<NamedTensor> parameters, const OptimizerOptions& options)
    : options_(options),
      parameters_(std::move(parameters)),
      gradients_(requiring_grad(parameters_)) {
  for (const auto& [name, tensor] : parameters_) {
    exp_avg_.push_back(at::zeros_like(tensor.detach()));
    exp_avg_sq_.push_back(at::zeros_like(tensor.detach()));
  }
}

double AdamW::clip_and_norm(double max_norm) {
  const double norm = gradients_.norm();
  if (max_norm > 0 && std::isfinite(norm) && norm > max_norm) {
    gradients_.scale(max_norm / (norm + 1e-6));
  }
  return norm;
}

void AdamW::step(double lr) {
  const profile::Span span("optimizer");
  at::NoGradGuard no_grad;
  ++updates_;
  for (const bool matrices : {true, false}) {
    std::vector<at::Tensor> params, grads, means, squares, counts;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if ((parameters_[i].tensor.dim() >= 2) != matrices) continue;
      params.push_back(parameters_[i].tensor);
      grads.push_back(gradients_.views()[i]);
      means.push_back(exp_avg_[i]);
      squares.push_back(exp_avg_sq_[i]);
      counts.push_back(at::full({}, static_cast<double>(updates_), at::kFloat));
    }
    if (params.empty()) continue;
    const double decay = matrices ? options_.weight_decay : 0.0;
    at::_fused_adamw_(params, grads, means, squares, /*max_exp_avg_sqs=*/{}, counts, lr,
                      options_.beta1, options_.beta2, decay, options_.eps, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
}

std::vector<NamedTensor> AdamW::state() const {
  std::vector<NamedTensor> state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    state.push_back({parameters_[i].name + ".exp_avg", exp_avg_[i]});
    state.push_back({parameters_[i].name + ".exp_avg_sq", exp_avg_sq_[i]});
  }
  state.push_back({"updates", at::full({1}, updates_, at::kLong)});
  return state;
}

void AdamW::load_state(const std::vector<NamedTensor>& state) {
  auto own = this->state();
  copy_into(own, state, "optimizer state");
  updates_ = own.back().tensor.item<int64_t>();
}

}  // namespace plumb
