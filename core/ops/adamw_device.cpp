#include "core/ops/adamw_device.h"

#include "core/ops/dynamic_map.h"

namespace plumb {
namespace {

AdamWTensor tensor_of(const AdamWSlot& slot, uint64_t id) {
  const bool in_8_bits = slot.is_8bit();
  return {.weight = slot.weight.mutable_data_ptr(),
          .exp_avg = slot.exp_avg.mutable_data_ptr(),
          .exp_avg_sq = slot.exp_avg_sq.mutable_data_ptr(),
          .absmax_avg = in_8_bits ? slot.absmax_avg.mutable_data_ptr<float>() : nullptr,
          .absmax_sq = in_8_bits ? slot.absmax_sq.mutable_data_ptr<float>() : nullptr,
          .grad = slot.grad.const_data_ptr(),
          .count = slot.weight.numel(),
          .weight_decay = slot.weight_decay,
          .id = id};
}

DeviceAdamWPlan::Part part_of(const std::vector<AdamWTensor>& tensors, int64_t chunk,
                              const at::Tensor& like) {
  const AdamWPlan plan = adamw_plan(tensors, chunk);
  return {copied_beside(like, plan.tensors), copied_beside(like, plan.first_chunk),
          static_cast<int64_t>(plan.tensors.size()), plan.first_chunk.back()};
}

AdamWUpdate update_of(const DeviceAdamWPlan::Part& part, const AdamWStep& step,
                      const at::Tensor& clip) {
  return {
      .tensors = static_cast<const AdamWTensor*>(part.tensors.const_data_ptr()),
      .first_chunk = static_cast<const int64_t*>(part.first_chunk.const_data_ptr()),
      .num_tensors = part.num_tensors,
      .chunks = part.chunks,
      .clip = clip.defined() ? static_cast<const GradientClip*>(clip.const_data_ptr()) : nullptr,
      .lr = step.lr,
      .beta1 = step.beta1,
      .beta2 = step.beta2,
      .eps = step.eps,
      .updates = step.updates};
}

}  // namespace

DeviceAdamWPlan device_adamw_plan(const std::vector<AdamWSlot>& slots, const at::Tensor& like) {
  std::vector<AdamWTensor> f32, in_8_bits;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    (slots[i].is_8bit() ? in_8_bits : f32).push_back(tensor_of(slots[i], i));
  }
  std::vector<float> maps;
  for (const bool is_signed : {true, false}) {
    const auto map = dynamic_map(is_signed);
    maps.insert(maps.end(), map.begin(), map.end());
  }
  return {part_of(f32, kAdamWChunk, like), part_of(in_8_bits, kAdamW8Chunk, like),
          copied_beside(like, maps)};
}

at::Tensor device_grad_norm(const KernelTable& kernels, const at::Tensor& grads, double max_norm) {
  const auto bytes = grads.options().dtype(at::kByte);
  const at::Tensor clip = at::empty({static_cast<int64_t>(sizeof(GradientClip))}, bytes);
  const at::Tensor partial =
      at::empty({grad_norm_partials(grads.numel())}, grads.options().dtype(at::kDouble));
  kernels.grad_norm({.clip = static_cast<GradientClip*>(clip.mutable_data_ptr()),
                     .partial = partial.mutable_data_ptr<double>(),
                     .grads = grads.const_data_ptr(),
                     .count = grads.numel(),
                     .max_norm = max_norm,
                     .dtype = kernel_dtype(grads)},
                    stream_of(grads));
  return clip;
}

GradientClip read_clip(const at::Tensor& clip) {
  const at::Tensor here = clip.cpu();
  GradientClip read;
  std::memcpy(&read, here.const_data_ptr(), sizeof(read));
  return read;
}

void device_adamw_step(const KernelTable& kernels, const DeviceAdamWPlan& plan,
                       const AdamWStep& step, const at::Tensor& clip) {
  const KernelStream stream = stream_of(plan.maps);  // bytes, on the weights' device
  if (plan.f32.chunks > 0) {
    kernels.adamw(update_of(plan.f32, step, clip), stream);
  }
  if (plan.in_8_bits.chunks > 0) {
    AdamWUpdate update = update_of(plan.in_8_bits, step, clip);
    update.dynamic_maps = static_cast<const float*>(plan.maps.const_data_ptr());
    kernels.adamw8(update, stream);
  }
}

}  // namespace plumb
