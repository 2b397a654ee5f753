// AdamW's update of tensors (Loshchilov & Hutter 2019, algorithm 2), with state in f32 or in 8
// bits: blocks of 256 values of the flat tensor share a scale, values are codes of bitsandbytes'
// dynamic map (Dettmers et al. 2022; core/ops/dynamic_map.h).
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace plumb {

// One tensor and what belongs to it, all dense. In 8 bits exp_avg and exp_avg_sq are uint8 of the
// weight's shape and each block's largest value stands in absmax_*; in f32 these are undefined.
struct AdamWSlot {
  at::Tensor weight;  // f32
  at::Tensor grad;    // f32, the weight's shape
  at::Tensor exp_avg = {}, exp_avg_sq = {};
  at::Tensor absmax_avg = {}, absmax_sq = {};  // (ceil(values / 256)) f32
  double weight_decay = 0.0;

  bool is_8bit() const { return absmax_avg.defined(); }
};

struct AdamWStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  int64_t updates = 1;  // this one included
};

// State before the first update.
AdamWSlot new_adamw_slot(const at::Tensor& weight, const at::Tensor& grad, bool in_8_bits);

// Updates weights and state on the CPU: f32 state by ATen's fused kernel, 8 bits by own loops.
void adamw_step(const std::vector<AdamWSlot>& slots, const AdamWStep& step);

}  // namespace plumb
