// AdamW and the gradients' norm by kernels (core/ops/adamw_kernel.h, core/ops/grad_norm_kernel.h).
#pragma once
#include <memory>

#include "core/ops/adamw.h"
#include "core/ops/backend.h"

namespace plumb {

// The slots as launches take them: one for those with f32 state, one for those in 8 bits. Their
// tensors stay where they are.
struct DeviceAdamWPlan {
  struct Part {
    at::Tensor tensors, first_chunk;  // of an AdamWPlan, as bytes
    int64_t num_tensors = 0, chunks = 0;
  };
  Part f32, in_8_bits;
  at::Tensor maps;  // (512) f32: the signed dynamic map, then the unsigned
};
DeviceAdamWPlan device_adamw_plan(const std::vector<AdamWSlot>& slots, const at::Tensor& like);

// A GradientClip on the device: norm and clip scale of flat f32 gradients.
at::Tensor device_grad_norm(const KernelTable& kernels, const at::Tensor& grads, double max_norm);
GradientClip read_clip(const at::Tensor& clip);  // waits for the device

// clip: of device_grad_norm, or undefined: gradients as they are. Nothing is written where it is
// not finite.
void device_adamw_step(const KernelTable& kernels, const DeviceAdamWPlan& plan,
                       const AdamWStep& step, const at::Tensor& clip);

}  // namespace plumb
