// NF4 with double quantisation on the GPU, in bitsandbytes' layout (Dettmers et al. 2023, QLoRA,
// 3): blocks of 64 values of the flat weight share a scale, 4 bits a value, the earlier value in a
// byte's high half; scales, less their mean, are dynamic 8-bit codes in blocks of 256
// (core/ops/dynamic_map.h).
#pragma once
#include <cstdint>

#include "core/ops/cuda/kernel_types.h"
#include "core/ops/cuda/sum64.h"

namespace plumb {

inline constexpr int64_t kNf4Block = 64, kNf4ScaleBlock = 256;

// A quantised weight of `count` values, on the device.
struct Nf4Weight {
  uint8_t* codes = nullptr;            // (ceil(count / 2)), 4-byte aligned
  uint8_t* scale_codes = nullptr;      // (nf4_blocks(count))
  float* scale_absmax = nullptr;       // (ceil(nf4_blocks(count) / 256))
  float* offset = nullptr;             // one: the mean of the scales
  const float* dynamic_map = nullptr;  // dynamic_map(true)
  int64_t count = 0;
};

inline int64_t nf4_blocks(int64_t count) {
  return (count + kNf4Block - 1) / kNf4Block;
}
// f64 values.
inline int64_t nf4_scratch(int64_t count) {
  return sum64_blocks(nf4_blocks(count));
}

struct Nf4Quantise {
  Nf4Weight to = {};
  float* absmax = nullptr;       // (nf4_blocks(count)): the scales before they are quantised
  double* partial = nullptr;     // nf4_scratch(count)
  const void* weight = nullptr;  // (count), 8-byte aligned
  KernelDtype dtype = KernelDtype::f32;
};
void launch_nf4_quantise(const Nf4Quantise& op, KernelStream stream);

// out = code scale, multiplied in f32 and rounded to `dtype`: bitsandbytes' bits.
struct Nf4Dequantise {
  void* out = nullptr;  // (count), 16-byte aligned
  Nf4Weight from = {};
  KernelDtype dtype = KernelDtype::f32;
};
void launch_nf4_dequantise(const Nf4Dequantise& op, KernelStream stream);

}  // namespace plumb
