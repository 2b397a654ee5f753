// The largest keys that together reach an amount, by histograms of digits in shared memory: exact,
// and deterministic because amounts are integers.
#pragma once
#include "core/ops/cuda/reduce.cuh"

namespace plumb {

using Amount = unsigned long long;  // CUDA's word for a 64-bit atomic

inline constexpr int kSelectThreads = 512;
inline constexpr int kDigitBits = 11, kDigits = 1 << kDigitBits;

// What a block shares for scans and selections.
struct SelectShared {
  Amount histogram[kDigits];
  Amount of_warps[kSelectThreads / kWarpSize];
  Amount before;  // of the digit that was found
  uint32_t digit;
};

__device__ __forceinline__ Amount warp_inclusive_scan(Amount value) {
  const int lane = threadIdx.x % kWarpSize;
#pragma unroll
  for (int distance = 1; distance < kWarpSize; distance *= 2) {
    const Amount behind = __shfl_up_sync(kAllLanes, value, distance);
    value += lane >= distance ? behind : 0;
  }
  return value;
}

// The sum over the threads before this one; `total` over all. Begins and ends with a barrier.
__device__ __forceinline__ Amount block_exclusive_scan(Amount value, Amount* of_warps,
                                                       Amount& total) {
  __syncthreads();
  const Amount inclusive = warp_inclusive_scan(value);
  const int warp = threadIdx.x / kWarpSize;
  if (threadIdx.x % kWarpSize == kWarpSize - 1) {
    of_warps[warp] = inclusive;
  }
  __syncthreads();
  Amount before = 0;
  total = 0;
#pragma unroll
  for (int w = 0; w < kSelectThreads / kWarpSize; ++w) {
    before += w < warp ? of_warps[w] : 0;
    total += of_warps[w];
  }
  __syncthreads();
  return before + inclusive - value;
}

// In the histogram, from the highest digit down: the digit at which the sum reaches `wanted`, and
// the sum before it.
__device__ __forceinline__ void find_digit(SelectShared& shared, Amount wanted) {
  constexpr int kEach = kDigits / kSelectThreads;
  const int highest = kDigits - 1 - static_cast<int>(threadIdx.x) * kEach;
  Amount mine = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    mine += shared.histogram[highest - i];
  }
  Amount total = 0;
  Amount before = block_exclusive_scan(mine, shared.of_warps, total);
  if (before < wanted && before + mine >= wanted) {
    int digit = highest;
    while (before + shared.histogram[digit] < wanted) {
      before += shared.histogram[digit];
      --digit;
    }
    shared.digit = static_cast<uint32_t>(digit);
    shared.before = before;
  }
  __syncthreads();
}

struct Selected {
  uint32_t key;   // the amounts of larger keys are below `wanted`, with this key they reach it
  Amount before;  // amount of the larger keys
};

// sweep(add): calls add(key, amount) for what the thread takes of the row. 1 <= wanted <= the sum
// of all amounts; keys are below 2^kBits.
template <int kBits, class Sweep>
__device__ __forceinline__ Selected radix_select(SelectShared& shared, Amount wanted,
                                                 const Sweep& sweep) {
  Selected found{0, 0};
#pragma unroll
  for (int high = kBits; high > 0; high -= kDigitBits) {
    const int low = high > kDigitBits ? high - kDigitBits : 0;
    const uint32_t mask = (1u << (high - low)) - 1;
    for (int i = threadIdx.x; i < kDigits; i += kSelectThreads) {
      shared.histogram[i] = 0;
    }
    __syncthreads();
    sweep([&](uint32_t key, Amount amount) {
      // 64 bits: a shift by all 32 would not be one.
      if (amount > 0 && uint64_t{key} >> high == uint64_t{found.key} >> high) {
        atomicAdd(&shared.histogram[key >> low & mask], amount);
      }
    });
    __syncthreads();
    find_digit(shared, wanted - found.before);
    found.key |= shared.digit << low;
    found.before += shared.before;
    __syncthreads();
  }
  return found;
}

}  // namespace plumb
