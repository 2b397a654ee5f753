// Names and shapes of the linears that an adapter may touch; shared by making and by PEFT files.
// Which there are, and what they are called, is the family's (core/io/linear_sites.h).
#pragma once
#include <string>
#include <vector>

#include "core/io/linear_sites.h"
#include "core/model/adapter.h"
#include "lora/lora_options.h"

namespace plumb {

// Of all stacks, one after another.
std::vector<LinearSite> all_sites(const ModelConfig& config);

// The last part of the site's module, as PEFT's target_modules have it: "q_proj". Two sites may
// share it: GPT-2's attn.c_proj and mlp.c_proj.
std::string module_name(const LinearSite& site);

// All of a family, each once: "q_proj, k_proj, ...", for messages.
std::string module_names(const ModelConfig& config);

// Whether `targets` ("all-linear", or ends of modules as PEFT matches them: "c_proj",
// "mlp.c_proj") name the site.
bool is_target(const LinearSite& site, const std::vector<std::string>& targets);

double lora_scale(const LoraOptions& options);

// Throws an Error that names the linear, the shapes this base needs and those received.
void check_adapter_shape(int64_t layer, const LinearSite& site, const LowRank& pair);

// B's rows (O, R), from memory's order to that of files and back.
at::Tensor in_file_order(const LinearSite& site, const at::Tensor& b);
at::Tensor in_memory_order(const LinearSite& site, const at::Tensor& b);

}  // namespace plumb
