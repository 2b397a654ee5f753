// Adapters made, copied and listed. Applying them is the decoder's (core/model/adapter.h).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/model/adapter.h"
#include "core/model/decoder.h"
#include "lora/lora_options.h"

namespace plumb {

// A new adapter: A kaiming-uniform(a = sqrt 5), that is uniform(-1/sqrt I, 1/sqrt I), B zero, as
// PEFT 0.21.2; so it changes nothing before its first update. Draws are Philox, keyed by seed and
// tensor. Unknown targets are errors that name the known ones.
Adapter make_adapter(const ModelConfig& config, const LoraOptions& options, uint64_t seed);

// A deep copy; gradients are not carried.
Adapter clone(const Adapter& adapter);

// "layers.0.q.lora_A", ... in a fixed order, for optimizers and checkpoints.
std::vector<NamedTensor> parameters(const Adapter& adapter);

void set_requires_grad(const Adapter& adapter, bool requires_grad);

// W += scale * B A on every linear the adapter touches. The decoder's own tensors change.
void merge(Decoder& decoder, const Adapter& adapter);

}  // namespace plumb
