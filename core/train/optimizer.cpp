#include "core/train/optimizer.h"

#include <cmath>
#include <map>
#include <string>

#include "core/error.h"
#include "core/model/tensor_files.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

constexpr int64_t kFewest8BitValues = 4096;

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
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& tensor = parameters_[i].tensor;
    const bool in_8_bits = options.name == "adamw8" && tensor.numel() >= kFewest8BitValues;
    slots_.push_back(new_adamw_slot(tensor, gradients_.views()[i], in_8_bits));
    slots_.back().weight_decay = tensor.dim() >= 2 ? options.weight_decay : 0.0;
  }
}

double AdamW::clip_and_norm(double max_norm) {
  if (const KernelTable* const kernels = kernels_for(gradients_.flat())) {
    clip_ = device_grad_norm(*kernels, gradients_.flat(), max_norm);
    return read_clip(clip_).norm;
  }
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
  const AdamWStep step{lr, options_.beta1, options_.beta2, options_.eps, updates_};
  if (const KernelTable* const kernels = kernels_for(gradients_.flat())) {
    if (!plan_) plan_ = device_adamw_plan(slots_, gradients_.flat());
    device_adamw_step(*kernels, *plan_, step, clip_);
    clip_.reset();
  } else {
    adamw_step(slots_, step);
  }
}

std::vector<NamedTensor> AdamW::state() const {
  std::vector<NamedTensor> state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    state.push_back({name + ".exp_avg", slots_[i].exp_avg});
    state.push_back({name + ".exp_avg_sq", slots_[i].exp_avg_sq});
    if (slots_[i].is_8bit()) {
      state.push_back({name + ".exp_avg_absmax", slots_[i].absmax_avg});
      state.push_back({name + ".exp_avg_sq_absmax", slots_[i].absmax_sq});
    }
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
