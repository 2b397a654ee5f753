#include "core/ops/rope_kernel.h"

#include "core/ops/cuda/dispatch.cuh"

namespace plumb {
namespace {

constexpr int kThreads = 256;
// Values of a half a thread takes: 16 bytes of the f32 tables, so that angles come in whole
// sectors.
constexpr int kTurned = 4;

template <class T, int kPack>
struct Angles {
  float cos[kPack], sin[kPack];

  __device__ __forceinline__ void load(const Rope& rope, int64_t at) {
    if constexpr (kPack % 4 == 0) {
#pragma unroll
      for (int v = 0; v < kPack; v += 4) {
        const float4 c = *reinterpret_cast<const float4*>(rope.cos + at + v);
        const float4 s = *reinterpret_cast<const float4*>(rope.sin + at + v);
        put(v, c.x, s.x), put(v + 1, c.y, s.y), put(v + 2, c.z, s.z), put(v + 3, c.w, s.w);
      }
    } else {
      put(0, rope.cos[at], rope.sin[at]);
    }
    if (rope.turn == Turn::backward) {
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        sin[v] = -sin[v];
      }
    }
  }
  __device__ __forceinline__ void put(int v, float c, float s) {
    cos[v] = rounded<T>(c);
    sin[v] = rounded<T>(s);
  }
};

// A block turns one token. Threads (x, y): x is a pack of the half, y a head; so a thread's angles
// serve all of its heads.
template <class T, int kPack>
__global__ void __launch_bounds__(kThreads) rope_kernel(Rope rope) {
  const int64_t token = blockIdx.x;
  const int half = static_cast<int>(rope.rotary_dim / 2);
  T* const row = static_cast<T*>(rope.x) + token * rope.row_stride;
  for (int at = threadIdx.x * kPack; at < half; at += blockDim.x * kPack) {
    Angles<T, kPack> angles;
    angles.load(rope, rope.table_rows[token] * half + at);
    for (int64_t head = threadIdx.y; head < rope.heads; head += blockDim.y) {
      T* const low = row + head * rope.head_stride + at;
      Pack<T, kPack> first = load_pack<T, kPack>(low);
      Pack<T, kPack> second = load_pack<T, kPack>(low + half);
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        const float a = to_float(first.values[v]), b = to_float(second.values[v]);
        const float c = angles.cos[v], s = angles.sin[v];
        first.values[v] = from_float<T>(rounded<T>(__fmul_rn(a, c)) - rounded<T>(__fmul_rn(b, s)));
        second.values[v] = from_float<T>(rounded<T>(__fmul_rn(b, c)) + rounded<T>(__fmul_rn(a, s)));
      }
      store_pack(low, first);
      store_pack(low + half, second);
    }
  }
}

template <class T, int kPack>
void turn(const Rope& rope, KernelStream stream) {
  const int64_t packs = (rope.rotary_dim / 2 + kPack - 1) / kPack;
  const auto x = static_cast<unsigned>(packs < kThreads ? packs : kThreads);
  const auto most_heads = static_cast<int64_t>(kThreads / x);
  const auto y = static_cast<unsigned>(rope.heads < most_heads ? rope.heads : most_heads);
  const LaunchShape shape{dim3(static_cast<unsigned>(rope.tokens)), dim3(x, y)};
  PLUMB_LAUNCH((rope_kernel<T, kPack>), shape, stream, rope);
}

}  // namespace

void launch_rope(const Rope& rope, KernelStream stream) {
  if (rope.tokens == 0 || rope.heads == 0 || rope.rotary_dim == 0) {
    return;
  }
  with_dtype(rope.dtype, [&](auto type) {
    using T = decltype(type);
    const bool is_aligned = reinterpret_cast<uintptr_t>(rope.x) % sizeof(Pack<T, kTurned>) == 0 &&
                            rope.row_stride % kTurned == 0 && rope.head_stride % kTurned == 0 &&
                            is_vectorizable<float>(rope.cos, rope.rotary_dim / 2) &&
                            is_vectorizable<float>(rope.sin, rope.rotary_dim / 2);
    is_aligned ? turn<T, kTurned>(rope, stream) : turn<T, 1>(rope, stream);
  });
}

}  // namespace plumb
