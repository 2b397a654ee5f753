// How sums over all rows are cut: f64 partial sums of kSum64Chunk values each, in a fixed order.
#pragma once
#include <cstdint>

namespace plumb {

inline constexpr int64_t kSum64Chunk = 4096;

inline int64_t sum64_blocks(int64_t count) {
  return (count + kSum64Chunk - 1) / kSum64Chunk;
}

}  // namespace plumb
