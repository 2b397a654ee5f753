// Tensors to and from safetensors files: the one bridge between core/io and ATen. Load, save,
// adapters and checkpoints all use it.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/model/decoder.h"

namespace plumb {

// The tensor in the file's own dtype, contiguous on the CPU.
at::Tensor read_tensor(const SafetensorsFile& file, const TensorEntry& entry);

// Fills `destination` (f32 on the CPU, of any strides) with the entry's values from element `first`
// on, read from F64, F32, BF16 or F16 straight into it or, where types or strides do not allow
// that, through a buffer of a few MB. Another dtype is an error that names the tensor.
void read_f32_into(const SafetensorsFile& file, const TensorEntry& entry,
                   const at::Tensor& destination, int64_t first = 0);

// For writing. f32 tensors may be stored as bf16 or f16, converted piece by piece; others are
// stored as they are. The tensor is kept alive by the source.
TensorSource tensor_source(const NamedTensor& named, SaveDtype dtype = SaveDtype::f32);

// The same of one tensor of `shape` whose values are those of `pieces`, one under another.
TensorSource tensor_source(const std::string& name, const std::vector<int64_t>& shape,
                           const std::vector<at::Tensor>& pieces, SaveDtype dtype);

// "(3, 64)".
std::string shape_text(at::IntArrayRef sizes);

}  // namespace plumb
