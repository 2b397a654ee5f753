// A Hugging Face model folder, or a PEFT adapter, as a GGUF file for llama.cpp. No LibTorch: files
// go to files, about a million values at a time. What is written is opened again and held to the
// model before it gets its name; on any error nothing is left.
#pragma once
#include <string>

#include "core/io/ggml_types.h"

namespace plumb {

struct GgufExport {
  std::string name;  // general.name
  GgmlType type = GgmlType::f32;
};

// `folder`: config.json, safetensors, tokenizer. `path` must not exist.
void export_gguf_model(const std::string& folder, const std::string& path,
                       const GgufExport& options);

// A LoRA adapter for llama.cpp's --lora: of `base_folder` only the config is read. `type` is f32,
// f16 or bf16.
void export_gguf_adapter(const std::string& adapter_folder, const std::string& base_folder,
                         const std::string& path, const GgufExport& options);

}  // namespace plumb
