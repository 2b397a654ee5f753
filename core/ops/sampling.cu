#include "core/ops/sampling_kernel.h"

#include <cmath>

#include "core/error.h"
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/philox.cuh"
#include "core/ops/cuda/radix_select.cuh"

namespace plumb {
namespace {

// Segments of a row, in order, whose sums let a draw skip all but one; a thread's each in scans.
constexpr int kSegments = kSelectThreads;
constexpr float kLargest = 3.402823466e38f;

struct Filters {
  float temperature, penalty;  // temperature 1 where the draw is greedy
  float min_p;
  double top_p;
  Amount top_k;  // 0: all
  bool is_greedy;
};

// A row as the filters see it: penalty and ban, then temperature; as in sampling.cpp, to the bit.
template <class T>
struct Row {
  const T* logits;
  const uint32_t* seen;  // null: no penalty
  const int32_t* banned;
  int64_t num_banned;  // 0 where the row bans nothing
  float penalty, temperature;

  __device__ __forceinline__ float logit(int64_t i) const { return to_float(logits[i]); }
  __device__ __forceinline__ float tempered(int64_t i) const { return logit(i) / temperature; }
  __device__ __forceinline__ float score(int64_t i) const { return score_of(i, logit(i)); }
  __device__ __forceinline__ float score_of(int64_t i, float value) const {
    if (seen != nullptr && (seen[i / 32] >> (i % 32) & 1u) != 0) {
      value = value < 0.0f ? value * penalty : value / penalty;
    }
    for (int64_t b = 0; b < num_banned; ++b) {
      value = banned[b] == i ? -INFINITY : value;
    }
    return value / temperature;
  }
};

// e^(score - highest), 0 where f32 would leave its normal range.
__device__ __forceinline__ float weight_of(float score, float highest) {
  const float x = score - highest;
  return x < -87.0f ? 0.0f : expf(x);
}
__device__ __forceinline__ Amount amount_of(float weight) {
  return static_cast<Amount>(weight * 0x1p44f);
}

// Keys in the order of the floats.
__device__ __forceinline__ uint32_t ordered(float value) {
  const uint32_t bits = __float_as_uint(value);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float from_ordered(uint32_t key) {
  return __uint_as_float((key >> 31) != 0 ? key & 0x7FFFFFFFu : ~key);
}

template <class Visit>
__device__ __forceinline__ void for_row(int64_t vocab, const Visit& visit) {
  for (int64_t i = threadIdx.x; i < vocab; i += kSelectThreads) {
    visit(i);
  }
}

struct Peaks {
  float logit, score;  // the largest tempered logit and score
  bool is_finite;
};

template <class T>
__device__ __forceinline__ Peaks peaks_of(const Row<T>& row, int64_t vocab, float* of_warps) {
  Peaks peaks{-INFINITY, -INFINITY, true};
  for_row(vocab, [&](int64_t i) {
    const float logit = row.logit(i);
    peaks.is_finite = peaks.is_finite && fabsf(logit) <= kLargest;
    peaks.logit = fmaxf(peaks.logit, logit / row.temperature);
    peaks.score = fmaxf(peaks.score, row.score_of(i, logit));
  });
  peaks.logit = warp_max(peaks.logit);
  peaks.score = warp_max(peaks.score);
  constexpr int kWarps = kSelectThreads / kWarpSize;
  if (threadIdx.x % kWarpSize == 0) {
    of_warps[threadIdx.x / kWarpSize] = peaks.logit;
    of_warps[kWarps + threadIdx.x / kWarpSize] = peaks.score;
  }
  peaks.is_finite = __syncthreads_and(peaks.is_finite ? 1 : 0) != 0;
  for (int warp = 0; warp < kWarps; ++warp) {
    peaks.logit = fmaxf(peaks.logit, of_warps[warp]);
    peaks.score = fmaxf(peaks.score, of_warps[kWarps + warp]);
  }
  return peaks;
}

// The sum of one amount a thread, for all threads.
__device__ __forceinline__ Amount block_total(Amount mine, SelectShared& shared) {
  Amount total = 0;
  block_exclusive_scan(mine, shared.of_warps, total);
  return total;
}

// What the filters leave: weights above `least`, and the first `equals` tokens, in order of ids, of
// those whose weight has the bits `key`.
struct Kept {
  uint32_t key;
  Amount equals;
  float lowest;  // score that top-k asks for
  float min_p;

  // The bits of a token's weight; 0 for a token that is left out.
  __device__ __forceinline__ uint32_t bits(float score, float highest) const {
    const float weight = score >= lowest ? weight_of(score, highest) : 0.0f;
    return weight >= min_p && weight > 0.0f ? __float_as_uint(weight) : 0u;
  }
};

template <class T>
__device__ __forceinline__ Kept filtered(const Row<T>& row, int64_t vocab, const Filters& filters,
                                         float highest, SelectShared& shared) {
  Kept kept{1u, ~Amount{0}, -INFINITY, 0.0f};  // every weight above 0
  if (filters.top_k > 0) {
    kept.lowest = from_ordered(radix_select<32>(shared, filters.top_k, [&](const auto& add) {
                                 for_row(vocab, [&](int64_t i) { add(ordered(row.score(i)), 1); });
                               }).key);
  }
  if (filters.top_p < 1.0) {
    const auto amounts = [&](const auto& add) {
      for_row(vocab, [&](int64_t i) {
        const uint32_t bits = kept.bits(row.score(i), highest);
        add(bits, amount_of(__uint_as_float(bits)));
      });
    };
    Amount mine = 0;
    amounts([&](uint32_t, Amount amount) { mine += amount; });
    const Amount total = block_total(mine, shared);
    const auto share = static_cast<Amount>(ceil(filters.top_p * static_cast<double>(total)));
    const Amount wanted = share < 1 ? 1 : share > total ? total : share;
    const Selected last = radix_select<30>(shared, wanted, amounts);
    const Amount each = amount_of(__uint_as_float(last.key));
    kept.key = last.key;
    kept.equals = (wanted - last.before + each - 1) / each;
  }
  kept.min_p = filters.min_p;
  return kept;
}

struct SegmentSums {
  Amount larger;  // of tokens whose weight is above the key's
  Amount equals;  // tokens with the key
};

__device__ __forceinline__ Amount warp_total(Amount value) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, distance);
  }
  return value;
}

// Segment s is [s length, (s + 1) length) of the row; a warp sums 32 of them.
template <class T>
__device__ __forceinline__ void sum_segments(const Row<T>& row, int64_t vocab, int64_t length,
                                             const Kept& kept, float highest,
                                             SegmentSums* segments) {
  const int first = threadIdx.x / kWarpSize * kWarpSize;
  for (int segment = first; segment < first + kWarpSize; ++segment) {
    const int64_t begin = segment * length;
    const int64_t end = begin + length < vocab ? begin + length : vocab;
    Amount larger = 0, equals = 0;
    for (int64_t i = begin + threadIdx.x % kWarpSize; i < end; i += kWarpSize) {
      const uint32_t bits = kept.bits(row.score(i), highest);
      larger += bits > kept.key ? amount_of(__uint_as_float(bits)) : 0;
      equals += bits == kept.key ? 1 : 0;
    }
    larger = warp_total(larger);
    equals = warp_total(equals);
    if (threadIdx.x % kWarpSize == 0) {
      segments[segment] = {larger, equals};
    }
  }
}

// Where a draw falls.
struct Place {
  Amount wanted;         // the token is the first at which the sum from the segment's begin exceeds
  Amount equals_before;  // tokens with the key before the segment
  int64_t segment;
};

__device__ __forceinline__ void find_segment(const SegmentSums* segments, const Kept& kept,
                                             double uniform, SelectShared& shared, Place* place) {
  const SegmentSums mine = segments[threadIdx.x];
  Amount total = 0;
  const Amount equals_before = block_exclusive_scan(mine.equals, shared.of_warps, total);
  const Amount left = kept.equals > equals_before ? kept.equals - equals_before : 0;
  const Amount equals = mine.equals < left ? mine.equals : left;
  const Amount sum = mine.larger + equals * amount_of(__uint_as_float(kept.key));
  const Amount before = block_exclusive_scan(sum, shared.of_warps, total);
  const auto drawn = static_cast<Amount>(uniform * static_cast<double>(total));
  const Amount wanted = drawn < total ? drawn : total - 1;
  if (before <= wanted && wanted < before + sum) {
    *place = {wanted - before, equals_before, static_cast<int64_t>(threadIdx.x)};
  }
  __syncthreads();
}

// The first warp walks the segment.
template <class T>
__device__ __forceinline__ int64_t walk_segment(const Row<T>& row, int64_t vocab, int64_t length,
                                                const Kept& kept, float highest,
                                                const Place& place) {
  const int64_t begin = place.segment * length;
  const int64_t end = begin + length < vocab ? begin + length : vocab;
  const unsigned before_lane = (1u << threadIdx.x) - 1;
  Amount before = 0, equals_before = place.equals_before;
  for (int64_t first = begin; first < end; first += kWarpSize) {
    const int64_t i = first + threadIdx.x;
    const uint32_t bits = i < end ? kept.bits(row.score(i), highest) : 0u;
    const unsigned equal = __ballot_sync(kAllLanes, bits == kept.key ? 1 : 0);
    const Amount rank = equals_before + __popc(equal & before_lane);
    const bool is_kept = bits > kept.key || (bits == kept.key && rank < kept.equals);
    const Amount amount = is_kept ? amount_of(__uint_as_float(bits)) : 0;
    const Amount sum = before + warp_inclusive_scan(amount);
    const unsigned beyond = __ballot_sync(kAllLanes, sum > place.wanted ? 1 : 0);
    if (beyond != 0) {
      return first + __ffs(static_cast<int>(beyond)) - 1;
    }
    before = __shfl_sync(kAllLanes, sum, kWarpSize - 1);
    equals_before += __popc(equal);
  }
  return end - 1;  // not reached: the segment's sum exceeds what is wanted
}

// A block a row.
template <class T>
__global__ void __launch_bounds__(kSelectThreads)
    sample_kernel(SampleTokens op, Filters filters, PhiloxKey key) {
  PLUMB_SHARED_ARRAY(SelectShared, shared, 1);
  PLUMB_SHARED_ARRAY(SegmentSums, segments, kSegments);
  PLUMB_SHARED_ARRAY(float, of_warps, 2 * kSelectThreads / kWarpSize);
  PLUMB_SHARED_ARRAY(Place, place, 1);
  PLUMB_SHARED_ARRAY(int, likeliest, 1);
  const int64_t index = blockIdx.x;
  uint32_t* const seen = op.seen == nullptr ? nullptr : op.seen + index * ((op.vocab + 31) / 32);
  const bool is_banning = op.is_banning != nullptr && op.is_banning[index] != 0;
  const Row<T> row{static_cast<const T*>(op.logits) + index * op.row_stride,
                   filters.penalty == 1.0f ? nullptr : seen,
                   op.banned,
                   is_banning ? op.num_banned : 0,
                   filters.penalty,
                   filters.temperature};
  if (threadIdx.x == 0) {
    likeliest[0] = 0x7FFFFFFF;
  }
  const Peaks peaks = peaks_of(row, op.vocab, of_warps);
  if (!peaks.is_finite) {
    if (threadIdx.x == 0) {
      op.ids[index] = -1;
      op.logprobs[index] = NAN;
    }
    return;  // the whole block
  }
  Amount mine = 0;
  for_row(op.vocab, [&](int64_t i) { mine += amount_of(weight_of(row.tempered(i), peaks.logit)); });
  const Amount total = block_total(mine, shared[0]);
  int64_t id = 0;
  if (filters.is_greedy) {
    for_row(op.vocab, [&](int64_t i) {
      if (row.score(i) == peaks.score) {
        atomicMin(likeliest, static_cast<int>(i));
      }
    });
    __syncthreads();
    id = likeliest[0];
  } else {
    const int64_t length =
        ((op.vocab + kSegments - 1) / kSegments + kWarpSize - 1) / kWarpSize * kWarpSize;
    const Kept kept = filtered(row, op.vocab, filters, peaks.score, shared[0]);
    sum_segments(row, op.vocab, length, kept, peaks.score, segments);
    __syncthreads();
    const double uniform =
        philox_uniform(key, op.sample_ids[index], static_cast<uint64_t>(op.positions[index]));
    find_segment(segments, kept, uniform, shared[0], place);
    if (threadIdx.x < kWarpSize) {
      id = walk_segment(row, op.vocab, length, kept, peaks.score, place[0]);
    }
  }
  __syncthreads();  // nobody reads `seen` any more
  if (threadIdx.x == 0) {
    op.ids[index] = static_cast<int32_t>(id);
    const double log_sum = log(static_cast<double>(total) * 0x1p-44);
    op.logprobs[index] =
        static_cast<float>(static_cast<double>(row.tempered(id)) - peaks.logit - log_sum);
    if (seen != nullptr) {
      seen[id / 32] |= 1u << (id % 32);
    }
  }
}

void check_sampling(const SampleTokens& op) {
  if (op.vocab < 1 || op.vocab > (1 << 18)) {
    throw Error("sample_tokens: a vocabulary of " + std::to_string(op.vocab) +
                "; the kernel takes 1 to 262144, whose weights its sums hold");
  }
  if (op.filters.repetition_penalty != 1.0 && op.seen == nullptr) {
    throw Error("sample_tokens: a repetition penalty of " +
                std::to_string(op.filters.repetition_penalty) + " needs the bits of seen ids");
  }
}

}  // namespace

void launch_sample_tokens(const SampleTokens& op, KernelStream stream) {
  if (op.rows == 0) {
    return;
  }
  check_sampling(op);
  const SamplingFilters& by = op.filters;
  const bool is_greedy = by.temperature == 0.0;
  const Filters filters{.temperature = is_greedy ? 1.0f : static_cast<float>(by.temperature),
                        .penalty = static_cast<float>(by.repetition_penalty),
                        .min_p = static_cast<float>(by.min_p),
                        .top_p = by.top_p,
                        .top_k = by.top_k < op.vocab ? static_cast<Amount>(by.top_k) : 0,
                        .is_greedy = is_greedy};
  const PhiloxKey key = device_philox_key(op.seed, Stream::sampling);
  const LaunchShape shape{dim3(static_cast<unsigned>(op.rows)), dim3(kSelectThreads)};
  with_dtype(op.dtype, [&](auto type) {
    PLUMB_LAUNCH(sample_kernel<decltype(type)>, shape, stream, op, filters, key);
  });
}

}  // namespace plumb
