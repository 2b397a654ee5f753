// T5 and Flan-T5 for llama.cpp. Two stacks, so no row of architecture.h; models are read from
// config.json itself.
#pragma once
#include <string>
#include <vector>

#include "core/gguf/tensor_plan.h"
#include "core/io/config_values.h"

namespace plumb {

// Throws Error on what llama.cpp does not compute, by key and value.
GgufMetadata t5_metadata(const ConfigValues& config, const std::string& name, GgmlType type);

// As plan_tensors. What goes into the head transformers multiplies by d_model^-0.5 (of published
// files: where it is tied), llama.cpp does not: such a head is a tensor of its own, the product.
std::vector<PlannedTensor> plan_t5(const ConfigValues& config, const ShardedModelFiles& files,
                                   GgmlType type);

// As gguf_linears: of both stacks and of what stands between them.
std::vector<GgufLinear> t5_linears(const ModelConfig& config);

}  // namespace plumb
