// AdamW (Loshchilov & Hutter 2019, algorithm 2) over f32 parameters; matches torch.optim.AdamW.
// State is f32, or in 8 bits (`adamw8`; Dettmers et al. 2022) where a tensor has 4096 values or
// more, as in bitsandbytes' AdamW8bit: small ones keep f32, which costs nothing. Decay is decoupled
// and, as nanoGPT, torchtune and transformers do, falls on matrices alone (two or more dimensions,
// embeddings included): norms and biases keep their size.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/ops/adamw_device.h"
#include "core/train/gradients.h"
#include "core/train/train_options.h"

namespace plumb {

class AdamW {
 public:
  // parameters: f32 leaves with distinct names; their requires_grad is set.
  AdamW(std::vector<NamedTensor> parameters, const OptimizerOptions& options);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  Gradients& gradients() { return gradients_; }

  // Global norm of the gradients before clipping; they are scaled by max_norm / (norm + 1e-6) when
  // norm > max_norm > 0 (torch's clip_grad_norm_), where kernels update the weights by the next
  // step. Nothing is scaled when the norm is not finite: the caller must then not step.
  double clip_and_norm(double max_norm);

  // One update at learning rate `lr`.
  void step(double lr);
  int64_t updates() const { return updates_; }

  // "<name>.exp_avg", "<name>.exp_avg_sq" (shaped as the parameter, f32, or uint8 codes with
  // "<name>.exp_avg_absmax" and "<name>.exp_avg_sq_absmax" a block) and "updates" (1) int64. The
  // tensors are the optimizer's own, not copies.
  std::vector<NamedTensor> state() const;
  // Copies a state() back; a missing, unknown or misshapen tensor is an error that names it.
  void load_state(const std::vector<NamedTensor>& state);

 private:
  OptimizerOptions options_;
  std::vector<NamedTensor> parameters_;
  Gradients gradients_;
  std::vector<AdamWSlot> slots_;  // of parameters_
  int64_t updates_ = 0;
  std::optional<DeviceAdamWPlan> plan_;  // where kernels update
  at::Tensor clip_;                      // of the last clip_and_norm, for the step that follows
};

// Copies tensors into parameters of the same names; a missing, unknown or misshapen one is an error
// that names it. `what` opens the message ("checkpoints/step-00000120/tensors.safetensors").
void copy_into(const std::vector<NamedTensor>& parameters, const std::vector<NamedTensor>& tensors,
               const std::string& what);

}  // namespace plumb
