// Which linears an adapter touches, and what they are called; torch-free.
#pragma once
#include <string>
#include <vector>

#include "core/io/linear_sites.h"
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

// The stacks with those of their sites that the targets name. Throws Error (Exit::usage) on a
// target that names none.
std::vector<LayerStack> target_stacks(const ModelConfig& config,
                                      const std::vector<std::string>& targets);

double lora_scale(const LoraOptions& options);

}  // namespace plumb
