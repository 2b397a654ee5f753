// CUDA's intrinsics for kernels on a CPU. Memory and synchronisation go to the harness; arithmetic
// is the C library's, more exact than the GPU's approximations (compare with budgets, not bits).
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/simt/runtime.h"

#define PLUMB_INTRINSIC inline __attribute__((always_inline))

namespace plumb::simt {

// NOLINTBEGIN: CUDA's names
PLUMB_INTRINSIC void __syncthreads() {
  block_barrier(BarrierOp::plain, 0);
}
PLUMB_INTRINSIC int __syncthreads_count(int p) {
  return block_barrier(BarrierOp::count, p);
}
PLUMB_INTRINSIC int __syncthreads_and(int p) {
  return block_barrier(BarrierOp::all, p);
}
PLUMB_INTRINSIC int __syncthreads_or(int p) {
  return block_barrier(BarrierOp::any, p);
}
PLUMB_INTRINSIC void __syncwarp(unsigned mask = 0xFFFFFFFFu) {
  warp_collective({WarpOp::sync, mask});
}
PLUMB_INTRINSIC void __threadfence() {}
PLUMB_INTRINSIC void __threadfence_block() {}

template <class T>
PLUMB_INTRINSIC uint64_t to_bits(T value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  uint64_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
PLUMB_INTRINSIC T from_bits(uint64_t bits) {
  T value;
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}

template <class T>
PLUMB_INTRINSIC T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  return from_bits<T>(warp_collective({WarpOp::shuffle, mask, to_bits(value), lane, width}));
}
template <class T>
PLUMB_INTRINSIC T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return from_bits<T>(
      warp_collective({WarpOp::shuffle_up, mask, to_bits(value), static_cast<int>(delta), width}));
}
template <class T>
PLUMB_INTRINSIC T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return from_bits<T>(warp_collective(
      {WarpOp::shuffle_down, mask, to_bits(value), static_cast<int>(delta), width}));
}
template <class T>
PLUMB_INTRINSIC T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  return from_bits<T>(
      warp_collective({WarpOp::shuffle_xor, mask, to_bits(value), lane_mask, width}));
}

PLUMB_INTRINSIC int __any_sync(unsigned mask, int predicate) {
  return static_cast<int>(warp_collective({WarpOp::any, mask, predicate != 0}));
}
PLUMB_INTRINSIC int __all_sync(unsigned mask, int predicate) {
  return static_cast<int>(warp_collective({WarpOp::all, mask, predicate != 0}));
}
PLUMB_INTRINSIC unsigned __ballot_sync(unsigned mask, int predicate) {
  return static_cast<unsigned>(warp_collective({WarpOp::ballot, mask, predicate != 0}));
}
template <class T>
PLUMB_INTRINSIC unsigned __match_any_sync(unsigned mask, T value) {
  return static_cast<unsigned>(warp_collective({WarpOp::match_any, mask, to_bits(value)}));
}
template <class T>
PLUMB_INTRINSIC unsigned __match_all_sync(unsigned mask, T value, int* all_equal) {
  const auto lanes =
      static_cast<unsigned>(warp_collective({WarpOp::match_all, mask, to_bits(value)}));
  *all_equal = lanes != 0;
  return lanes;
}

PLUMB_INTRINSIC unsigned __reduce_add_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(warp_collective({WarpOp::add, mask, value}));
}
PLUMB_INTRINSIC int __reduce_add_sync(unsigned mask, int value) {
  return static_cast<int>(warp_collective({WarpOp::add, mask, to_bits(value)}));
}
PLUMB_INTRINSIC unsigned __reduce_min_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(warp_collective({WarpOp::min_unsigned, mask, value}));
}
PLUMB_INTRINSIC unsigned __reduce_max_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(warp_collective({WarpOp::max_unsigned, mask, value}));
}
PLUMB_INTRINSIC int __reduce_min_sync(unsigned mask, int value) {
  return static_cast<int>(warp_collective({WarpOp::min_signed, mask, to_bits(value)}));
}
PLUMB_INTRINSIC int __reduce_max_sync(unsigned mask, int value) {
  return static_cast<int>(warp_collective({WarpOp::max_signed, mask, to_bits(value)}));
}
PLUMB_INTRINSIC unsigned __reduce_and_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(warp_collective({WarpOp::bit_and, mask, value}));
}
PLUMB_INTRINSIC unsigned __reduce_or_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(warp_collective({WarpOp::bit_or, mask, value}));
}
PLUMB_INTRINSIC unsigned __reduce_xor_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(warp_collective({WarpOp::bit_xor, mask, value}));
}

// The update of an atomic: not instrumented, so that the hooks do not take it for a plain access.
template <class T, class Update>
__attribute__((no_sanitize("thread"), noinline)) T exchange_by(T* address, Update update) {
  const T old = *address;
  *address = update(old);
  return old;
}
template <class T, class Update>
PLUMB_INTRINSIC T atomic_update(T* address, Update update) {
  note_atomic(address, sizeof(T), std::is_floating_point_v<T>);
  return exchange_by(address, update);
}
#define PLUMB_SIMT_ATOMIC(name, expression)                                                    \
  template <class T>                                                                           \
  PLUMB_INTRINSIC T name(T* address, std::type_identity_t<T> value) {                          \
    return atomic_update(                                                                      \
        address, [=](T old) __attribute__((no_sanitize("thread")))->T { return expression; }); \
  }
PLUMB_SIMT_ATOMIC(atomicAdd, old + value)
PLUMB_SIMT_ATOMIC(atomicSub, old - value)
PLUMB_SIMT_ATOMIC(atomicMax, old < value ? value : old)
PLUMB_SIMT_ATOMIC(atomicMin, value < old ? value : old)
PLUMB_SIMT_ATOMIC(atomicExch, (static_cast<void>(old), value))
PLUMB_SIMT_ATOMIC(atomicAnd, old& value)
PLUMB_SIMT_ATOMIC(atomicOr, old | value)
PLUMB_SIMT_ATOMIC(atomicXor, old ^ value)
#undef PLUMB_SIMT_ATOMIC
template <class T>
PLUMB_INTRINSIC T atomicCAS(T* address, std::type_identity_t<T> expected,
                            std::type_identity_t<T> desired) {
  return atomic_update(
      address, [=](T old) __attribute__((no_sanitize("thread")))->T {
        return old == expected ? desired : old;
      });
}

template <class T>
PLUMB_INTRINSIC T __ldg(const T* address) {
  return *address;
}
template <class T>
PLUMB_INTRINSIC T __ldcs(const T* address) {
  return *address;
}
template <class T>
PLUMB_INTRINSIC T __ldcg(const T* address) {
  return *address;
}
template <class T>
PLUMB_INTRINSIC void __stcs(T* address, T value) {
  *address = value;
}
template <class T>
PLUMB_INTRINSIC void __stcg(T* address, T value) {
  *address = value;
}

PLUMB_INTRINSIC float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
PLUMB_INTRINSIC double rsqrt(double x) {
  return 1.0 / std::sqrt(x);
}
PLUMB_INTRINSIC float __expf(float x) {
  return std::exp(x);
}
PLUMB_INTRINSIC float __logf(float x) {
  return std::log(x);
}
PLUMB_INTRINSIC float __log2f(float x) {
  return std::log2(x);
}
PLUMB_INTRINSIC float __fdividef(float x, float y) {
  return x / y;
}
PLUMB_INTRINSIC float __frcp_rn(float x) {
  return 1.0f / x;
}
PLUMB_INTRINSIC float __fsqrt_rn(float x) {
  return std::sqrt(x);
}
// Each rounded by itself: volatile keeps the compiler from contracting them, as CUDA promises.
PLUMB_INTRINSIC float __fmul_rn(float x, float y) {
  const volatile float product = x * y;
  return product;
}
PLUMB_INTRINSIC float __fadd_rn(float x, float y) {
  const volatile float a = x, b = y;
  return a + b;
}
PLUMB_INTRINSIC float __fsub_rn(float x, float y) {
  const volatile float a = x, b = y;
  return a - b;
}
PLUMB_INTRINSIC float __fmaf_rn(float x, float y, float z) {
  return std::fma(x, y, z);
}
PLUMB_INTRINSIC float __saturatef(float x) {
  return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f;
}

template <class T>
PLUMB_INTRINSIC T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
PLUMB_INTRINSIC T max(T a, T b) {
  return a < b ? b : a;
}

PLUMB_INTRINSIC int __popc(unsigned x) {
  return std::popcount(x);
}
PLUMB_INTRINSIC int __popcll(unsigned long long x) {
  return std::popcount(x);
}
PLUMB_INTRINSIC int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
PLUMB_INTRINSIC int __clzll(long long x) {
  return std::countl_zero(static_cast<unsigned long long>(x));
}
PLUMB_INTRINSIC int __ffs(int x) {
  return __builtin_ffs(x);
}
PLUMB_INTRINSIC int __ffsll(long long x) {
  return __builtin_ffsll(x);
}
PLUMB_INTRINSIC unsigned __brev(unsigned x) {
  x = __builtin_bswap32(x);
  x = (x >> 4 & 0x0F0F0F0Fu) | (x & 0x0F0F0F0Fu) << 4;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  return (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
}
PLUMB_INTRINSIC unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(uint64_t{a} * b >> 32);
}
PLUMB_INTRINSIC unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
PLUMB_INTRINSIC int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
PLUMB_INTRINSIC float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
PLUMB_INTRINSIC float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
PLUMB_INTRINSIC int __float2int_rn(float x) {
  return static_cast<int>(std::nearbyint(x));
}
// NOLINTEND

}  // namespace plumb::simt
