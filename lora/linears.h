// Names and shapes of the linears that an adapter may touch; shared by making and by PEFT files.
#pragma once
#include <array>
#include <string>

#include "core/io/model_config.h"
#include "core/model/adapter.h"
#include "lora/lora_options.h"

namespace plumb {

constexpr std::array<Linear, kNumLinears> kLinears = {
    Linear::q, Linear::k, Linear::v, Linear::o, Linear::gate, Linear::up, Linear::down};

std::string module_name(Linear linear);  // "q_proj"
std::string module_path(Linear linear);  // "self_attn.q_proj"
std::string module_names();              // all of them, for messages

double lora_scale(const LoraOptions& options);

// Throws an Error that names the linear, the shapes this base needs and those received.
void check_adapter_shape(const ModelConfig& config, int64_t layer, Linear linear,
                         const LowRank& pair);

}  // namespace plumb
