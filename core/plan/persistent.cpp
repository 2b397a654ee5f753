#include "core/plan/persistent.h"

namespace plumb::plan {

double moment_bytes(const OptimizerOptions& options) {
  // Codes of a byte, and an f32 scale for each block of 256 (core/ops/adamw_kernel.h).
  return options.name == "adamw8" ? 2 * (1 + 4.0 / 256) : 2 * 4;
}

Phase phase_of(const std::string& name, const Persistent& kept, const Precision& precision) {
  Phase phase{name};
  const double master = kept.trains_base && precision.has_master_copies ? kept.trained : 0;
  phase[Kind::weights] = kept.base * precision.weights;
  phase[Kind::adapters] = kept.adapters * precision.trained;
  phase[Kind::gradients] = kept.trained * precision.trained;
  phase[Kind::optimizer] = kept.trained * kept.moment_bytes + master * precision.trained;
  return phase;
}

void add_pass(Phase& phase, const Pass& pass, const Precision& precision) {
  const PassMemory memory = pass_memory(pass, precision);
  phase[Kind::activations] += memory.activations;
  phase[Kind::head] += memory.head;
  phase[Kind::allocator] +=
      memory.activations * (pass.trains_base ? precision.unreturned_of_all : precision.unreturned);
}

Phase checkpoint_phase(const Persistent& kept, double largest_tensor, const Precision& precision) {
  Phase phase = phase_of("checkpoint", kept, precision);
  phase[Kind::allocator] += 6 * largest_tensor;
  return phase;
}

double checkpoint_bytes(const Persistent& kept) {
  return kept.trained * (4 + kept.moment_bytes);
}

}  // namespace plumb::plan
