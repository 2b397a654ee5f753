// Philox 4x32-10 on the GPU: the words of core/ops/philox.h for the same seed, stream, id and
// position.
#pragma once
#include "core/ops/cuda/device.cuh"
#include "core/ops/philox.h"

namespace plumb {

struct PhiloxKey {
  uint32_t x, y;
};

inline PhiloxKey device_philox_key(uint64_t seed, Stream stream) {
  const std::array<uint32_t, 2> key = philox_key(seed, stream);
  return {key[0], key[1]};
}

__device__ __forceinline__ uint4 philox_words(PhiloxKey key, uint64_t id, uint64_t position) {
  uint4 counter = make_uint4(static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                             static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32));
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    constexpr uint32_t kLeft = 0xD2511F53u, kRight = 0xCD9E8D57u;
    counter = make_uint4(__umulhi(kRight, counter.z) ^ counter.y ^ key.x, kRight * counter.z,
                         __umulhi(kLeft, counter.x) ^ counter.w ^ key.y, kLeft * counter.x);
    key = {key.x + 0x9E3779B9u, key.y + 0xBB67AE85u};
  }
  return counter;
}

// random_uniform of philox.h: in [0, 1), 53 bits.
__device__ __forceinline__ double philox_uniform(PhiloxKey key, uint64_t id, uint64_t position) {
  const uint4 words = philox_words(key, id, position);
  const uint64_t bits = (uint64_t{words.x} << 32 | words.y) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace plumb
