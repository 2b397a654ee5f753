// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"):
// counter-based, so a draw depends on its key and counter alone, never on batch, rank or restart
// (DESIGN.md 6). Plain functions of integers: CPU, test harness and GPU get the same numbers.
#pragma once
#include <array>
#include <cstdint>

namespace plumb {

// Streams keep the uses of one seed apart.
enum class Stream : uint32_t {
  weights = 1,
  shuffle = 2,
  sampling = 3,
  dropout = 4,
  lora = 5,
  minibatch = 6,
  data = 7,
  rounding = 8
};

inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                          std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t left = uint64_t{0xD2511F53} * counter[0];
    const uint64_t right = uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<uint32_t>(right >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(right),
        static_cast<uint32_t>(left >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(left)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

inline std::array<uint32_t, 2> philox_key(uint64_t seed, Stream stream) {
  return {static_cast<uint32_t>(seed) ^ (static_cast<uint32_t>(stream) * 0x9E3779B9u),
          static_cast<uint32_t>(seed >> 32)};
}

// Four words for (seed, stream, id, position). id: sample, tensor or epoch; position: place in it.
inline std::array<uint32_t, 4> random_words(uint64_t seed, Stream stream, uint64_t id,
                                            uint64_t position) {
  const std::array<uint32_t, 4> counter{static_cast<uint32_t>(position),
                                        static_cast<uint32_t>(position >> 32),
                                        static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)};
  return philox4x32(counter, philox_key(seed, stream));
}

// In [0, 1), 53 bits.
inline double random_uniform(uint64_t seed, Stream stream, uint64_t id, uint64_t position) {
  const auto words = random_words(seed, stream, id, position);
  const uint64_t bits = (uint64_t{words[0]} << 32 | words[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace plumb
