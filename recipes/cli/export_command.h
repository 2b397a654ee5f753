#pragma once
#include <string>

#include "recipes/cli/command.h"

namespace plumb {

// plumb export MODEL_OR_ADAPTER --format hf|peft|gguf --out ...
// A model is written with its --adapter merged in (hf, gguf) or as that adapter (peft). An adapter
// given by itself is merged into its base (hf), copied (peft) or written for llama.cpp's --lora
// (gguf). GGUF files of what needs no merging are made here, without LibTorch.
int export_command(const Arguments& arguments);
int merge_command(const Arguments& arguments);
std::string export_help();

}  // namespace plumb
