// Global norm of gradients and the scale that clips them, formed on the device: nobody waits for
// it. Sums are f64 and of a fixed order that depends on the count alone.
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"

namespace plumb {

// What an update reads (core/ops/adamw_kernel.h); one, on the device.
struct GradientClip {
  double norm = 0;        // 2-norm before clipping
  float scale = 1;        // max_norm / (norm + 1e-6) where norm > max_norm > 0, else 1
  int32_t is_finite = 1;  // 0: some gradient is infinite or NaN, and no update is made
};

struct GradNorm {
  GradientClip* clip = nullptr;
  double* partial = nullptr;    // grad_norm_partials(count)
  const void* grads = nullptr;  // (count), flat
  int64_t count = 0;            // may be 0: the norm is 0
  double max_norm = 0;          // 0: no clipping
  KernelDtype dtype = KernelDtype::f32;
};
void launch_grad_norm(const GradNorm& op, KernelStream stream);

// Values a partial sum takes: at least kGradNormChunk, and so many that there are at most
// kMostGradNormPartials sums.
inline constexpr int64_t kGradNormChunk = 16384, kMostGradNormPartials = 1024;
inline int64_t grad_norm_chunk(int64_t count) {
  const int64_t whole = (count + kGradNormChunk - 1) / kGradNormChunk;
  return (whole + kMostGradNormPartials - 1) / kMostGradNormPartials * kGradNormChunk;
}
inline int64_t grad_norm_partials(int64_t count) {
  return count == 0 ? 0 : (count + grad_norm_chunk(count) - 1) / grad_norm_chunk(count);
}

}  // namespace plumb
