// The metadata of a model's GGUF file but for its vocabulary: general.*, sizes, rope, norms.
#pragma once
#include <string>

#include "core/gguf/architecture.h"

namespace plumb {

// `name`: general.name. Throws Error on a config whose mathematics llama.cpp does not compute.
GgufMetadata model_metadata(const ModelConfig& config, const GgufArchitecture& architecture,
                            const std::string& name, GgmlType type);

// llama.cpp's number for a file that is mostly of this type (general.file_type).
std::uint32_t file_type_number(GgmlType type);

}  // namespace plumb
