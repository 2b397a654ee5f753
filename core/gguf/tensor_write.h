// Planned tensors into a GGUF file, and the file against them.
#pragma once
#include <string>
#include <vector>

#include "core/gguf/tensor_plan.h"

namespace plumb {

// Sources that read, convert and give away about 1 M values at a time. `plan` must outlive them. A
// value that its type cannot hold, or that is not finite, is an Error that names
// the tensor.
std::vector<GgufSource> gguf_sources(const std::vector<PlannedTensor>& plan);

// Opens `path` and holds it to what was meant: the same metadata, the same tensors in type and
// shape, every value within its type's error of the model's own.
void verify_gguf(const std::string& path, const GgufMetadata& metadata,
                 const std::vector<PlannedTensor>& plan);

}  // namespace plumb
