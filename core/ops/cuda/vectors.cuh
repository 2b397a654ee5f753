// Values in memory and in registers: f32 or bf16 there, f32 in arithmetic; 16 bytes an access.
#pragma once
#include "core/ops/cuda/device.cuh"

namespace plumb {

inline constexpr int kVectorBytes = 16;
template <class T>
inline constexpr int kVectorOf = kVectorBytes / static_cast<int>(sizeof(T));

__device__ __forceinline__ float to_float(float value) {
  return value;
}
__device__ __forceinline__ float to_float(bfloat16 value) {
  return __bfloat162float(value);
}

template <class T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ bfloat16 from_float<bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

// As a tensor of T would hold it: where transformers' model in bf16 stores, so do kernels.
template <class T>
__device__ __forceinline__ float rounded(float value) {
  return to_float(from_float<T>(value));
}

// kCount values of T that move together: 16 bytes, 8, 4 or 2, or one value where rows are not
// aligned.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];
};

template <class T, int kCount>
__device__ __forceinline__ Pack<T, kCount> load_pack(const T* from) {
  Pack<T, kCount> pack;
  if constexpr (sizeof(pack) == kVectorBytes) {
    const uint4 bits = *reinterpret_cast<const uint4*>(from);
    __builtin_memcpy(&pack, &bits, sizeof(pack));
  } else if constexpr (sizeof(pack) == kVectorBytes / 2) {
    const uint2 bits = *reinterpret_cast<const uint2*>(from);
    __builtin_memcpy(&pack, &bits, sizeof(pack));
  } else if constexpr (sizeof(pack) == sizeof(uint32_t) && kCount > 1) {
    const uint32_t bits = *reinterpret_cast<const uint32_t*>(from);
    __builtin_memcpy(&pack, &bits, sizeof(pack));
  } else if constexpr (sizeof(pack) == sizeof(uint16_t) && kCount > 1) {
    const uint16_t bits = *reinterpret_cast<const uint16_t*>(from);
    __builtin_memcpy(&pack, &bits, sizeof(pack));
  } else {
    static_assert(kCount == 1);
    pack.values[0] = *from;
  }
  return pack;
}

template <class T, int kCount>
__device__ __forceinline__ void store_pack(T* to, const Pack<T, kCount>& pack) {
  if constexpr (sizeof(pack) == kVectorBytes) {
    uint4 bits;
    __builtin_memcpy(&bits, &pack, sizeof(pack));
    *reinterpret_cast<uint4*>(to) = bits;
  } else if constexpr (sizeof(pack) == kVectorBytes / 2) {
    uint2 bits;
    __builtin_memcpy(&bits, &pack, sizeof(pack));
    *reinterpret_cast<uint2*>(to) = bits;
  } else if constexpr (sizeof(pack) == sizeof(uint32_t) && kCount > 1) {
    uint32_t bits;
    __builtin_memcpy(&bits, &pack, sizeof(pack));
    *reinterpret_cast<uint32_t*>(to) = bits;
  } else {
    static_assert(kCount == 1);
    *to = pack.values[0];
  }
}

template <class T, int kCount>
__device__ __forceinline__ Pack<T, kCount> zero_pack() {
  Pack<T, kCount> pack;
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    pack.values[v] = from_float<T>(0.0f);
  }
  return pack;
}

// Whether rows of `width` values at `data` may be moved 16 bytes at a time.
template <class T>
bool is_vectorizable(const void* data, int64_t width) {
  return reinterpret_cast<uintptr_t>(data) % kVectorBytes == 0 && width % kVectorOf<T> == 0;
}

}  // namespace plumb
