// What a run holds from beginning to end, and what its checkpoints hold.
#pragma once
#include "core/plan/plan.h"

namespace plumb::plan {

struct Persistent {
  double base = 0;      // parameters of the model
  double trained = 0;   // parameters with a gradient
  double adapters = 0;  // parameters of all adapters and scalar heads
  bool trains_base = false;
  double moment_bytes = 0;  // AdamW's two moments, a trained parameter
};

double moment_bytes(const OptimizerOptions& options);

// A phase that starts with them: weights, adapters, gradients (core/train/gradients.h) and AdamW's
// moments (core/train/optimizer.cpp).
Phase phase_of(const std::string& name, const Persistent& kept, const Precision& precision);

// Adds a pass's memory and what the allocator keeps of it.
void add_pass(Phase& phase, const Pass& pass, const Precision& precision);

// Saving looks for values that are not finite, a tensor at a time: a copy of the largest and masks
// (core/train/checkpoint.cpp, gradients.cpp).
Phase checkpoint_phase(const Persistent& kept, double largest_tensor, const Precision& precision);

// tensors.safetensors and optimizer.safetensors, f32.
double checkpoint_bytes(const Persistent& kept);

}  // namespace plumb::plan
