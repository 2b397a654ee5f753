// Qwen2's and Qwen3's windows: off unless use_sliding_window, and then from max_window_layers on.
#pragma once
#include "core/io/families/keys.h"

namespace plumb {

void read_qwen_windows(const ConfigValues& values, ModelConfig& config);
void write_qwen_windows(const ModelConfig& config, Json& json);

}  // namespace plumb
