// Who does the work of an op: the CPU's own loops, or the launchers of a KernelTable. An op asks
// once, at the boundary of its public function:
//   if (const KernelTable* const kernels = kernels_for(x)) {
//     return device_rms_norm(*kernels, x, w, eps);
//   }
// and core/ops/<op>_device.cpp turns tensors into the launcher's raw pointers, with scratch and
// results from at::empty.
#pragma once
#include <ATen/ATen.h>

#include <cstring>
#include <type_traits>
#include <vector>

#include "core/ops/kernel_table.h"

namespace plumb {

// The stream that ATen enqueues on at the moment, for a device.
using CurrentStream = KernelStream (*)(c10::DeviceIndex);

// From now on f32 and bf16 tensors on devices of this type go through `table`, which must outlive
// them; nullptr takes it away. Not to be called while ops run.
void use_kernels(c10::DeviceType device, const KernelTable* table, CurrentStream stream);

namespace backend {
extern bool has_kernels;  // of any device
const KernelTable* find_kernels(const at::Tensor& x);
}  // namespace backend

// The launchers for tensors like x; nullptr: the CPU's own loops, which f64 on a CPU always takes.
// Throws Error for a tensor that neither can work on.
inline const KernelTable* kernels_for(const at::Tensor& x) {
  return backend::has_kernels ? backend::find_kernels(x) : nullptr;
}

// For a tensor that has kernels.
KernelStream stream_of(const at::Tensor& x);
KernelDtype kernel_dtype(const at::Tensor& x);

// A copy of host values beside x, as bytes: what launchers take by a device pointer.
template <class T>
at::Tensor copied_beside(const at::Tensor& x, const std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
  const at::Tensor copy = at::empty({bytes}, at::kByte);
  if (bytes > 0) {
    std::memcpy(copy.mutable_data_ptr(), values.data(), values.size() * sizeof(T));
  }
  return copy.to(x.device());
}

}  // namespace plumb
