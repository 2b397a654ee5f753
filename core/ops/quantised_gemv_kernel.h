// y = x W^T for few rows of x (decode) over quantised weights, which are read once: NF4, decoded on
// the way to the values that dequantising gives; and int8 with a scale a row of W (bitsandbytes'
// vector-wise form: code = round(w 127 / absmax)). f32 sums in a fixed order: a row's bits do not
// depend on the other rows.
#pragma once
#include <cstdint>

#include "core/ops/nf4_kernel.h"

namespace plumb {

inline constexpr int64_t kMostGemvRows = 8;

struct QuantisedGemv {
  void* y = nullptr;        // (M, O) dense
  const void* x = nullptr;  // (M, I) dense, M up to kMostGemvRows
  int64_t rows = 0, in_width = 0, out_width = 0;
  KernelDtype dtype = KernelDtype::f32;
};
// weight: (O, I), flat; count O I.
void launch_nf4_gemv(const QuantisedGemv& op, const Nf4Weight& weight, KernelStream stream);

struct Int8Weight {
  int8_t* codes = nullptr;  // (O, I), 8-byte aligned
  float* absmax = nullptr;  // (O)
};
void launch_int8_gemv(const QuantisedGemv& op, const Int8Weight& weight, KernelStream stream);

struct Int8Quantise {
  Int8Weight to = {};
  const void* weight = nullptr;  // (O, I) dense
  int64_t rows = 0, width = 0;   // O, I
  KernelDtype dtype = KernelDtype::f32;
};
void launch_int8_quantise(const Int8Quantise& op, KernelStream stream);

}  // namespace plumb
