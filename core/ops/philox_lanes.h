// Many consecutive Philox blocks at once, in vector registers.
#pragma once
#include <array>
#include <cstdint>

#include "core/ops/philox.h"

namespace plumb {

constexpr int kPhiloxLanes = 16;
constexpr int kPhiloxWords = 4 * kPhiloxLanes;

// words[4 l + w] = random_words(seed, stream, id, first_position + l)[w]
inline void random_words_lanes(uint64_t seed, Stream stream, uint64_t id, uint64_t first_position,
                               uint32_t* words) {
  uint32_t c0[kPhiloxLanes], c1[kPhiloxLanes], c2[kPhiloxLanes], c3[kPhiloxLanes];
  for (int l = 0; l < kPhiloxLanes; ++l) {
    c0[l] = static_cast<uint32_t>(first_position + l);
    c1[l] = static_cast<uint32_t>((first_position + l) >> 32);
    c2[l] = static_cast<uint32_t>(id);
    c3[l] = static_cast<uint32_t>(id >> 32);
  }
  std::array<uint32_t, 2> key = philox_key(seed, stream);
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int l = 0; l < kPhiloxLanes; ++l) {
      const uint64_t left = uint64_t{0xD2511F53} * c0[l];
      const uint64_t right = uint64_t{0xCD9E8D57} * c2[l];
      c0[l] = static_cast<uint32_t>(right >> 32) ^ c1[l] ^ key[0];
      c2[l] = static_cast<uint32_t>(left >> 32) ^ c3[l] ^ key[1];
      c1[l] = static_cast<uint32_t>(right);
      c3[l] = static_cast<uint32_t>(left);
    }
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  for (int l = 0; l < kPhiloxLanes; ++l) {
    words[4 * l] = c0[l];
    words[4 * l + 1] = c1[l];
    words[4 * l + 2] = c2[l];
    words[4 * l + 3] = c3[l];
  }
}

}  // namespace plumb
