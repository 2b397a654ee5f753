// ATen's CPU tensors in the harness's memory, so that kernels may touch them and every access past
// the end of a tensor, or to one that is gone, is a defect.
#pragma once
#include <cstdint>

namespace plumb::simt {

// From now on. Tensors that were made before stay where they are, and kernels must not see them.
// What the host writes counts as written; memory that nobody has written holds NaNs.
void put_tensors_in_device_memory();

// Bytes that races are told apart down to, of tensors made from now on: 4 unless said otherwise; 1
// where threads write neighbouring bytes or bf16 values.
void set_tensor_element(uint64_t bytes);

}  // namespace plumb::simt
