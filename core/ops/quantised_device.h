// Weights in 8 and 4 bits on a device, and products with them: by the fused kernels for few rows,
// which read the weight as it lies, dequantised to the rows' type for more.
#pragma once
#include "core/ops/backend.h"

namespace plumb {

// A scale a row (core/ops/quantised_gemv_kernel.h).
struct Int8Tensors {
  at::Tensor codes;   // (O, I) int8
  at::Tensor absmax;  // (O) f32
};
// bitsandbytes' NF4 with double quantisation (core/ops/nf4_kernel.h).
struct Nf4Tensors {
  at::Tensor codes;         // (O I / 2) uint8
  at::Tensor scale_codes;   // (blocks) uint8
  at::Tensor scale_absmax;  // (blocks / 256) f32
  at::Tensor offset;        // (1) f32
  at::Tensor dynamic_map;   // (256) f32
  int64_t out_width = 0, in_width = 0;
};

// weight: (O, I) dense, f32 or bf16.
Int8Tensors device_int8(const KernelTable& kernels, const at::Tensor& weight);
Nf4Tensors device_nf4(const KernelTable& kernels, const at::Tensor& weight);

// x: (N, I) dense -> x W^T (N, O), of x's type. With kFewRows rows or less, a row's bits do not
// depend on the others.
inline constexpr int64_t kFewRows = 4 * kMostGemvRows;
at::Tensor device_product(const KernelTable& kernels, const at::Tensor& x, const Int8Tensors& w);
at::Tensor device_product(const KernelTable& kernels, const at::Tensor& x, const Nf4Tensors& w);

}  // namespace plumb
