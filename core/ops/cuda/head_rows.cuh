// What a head does with the logits of one token (core/ops/head_rows.h): one sweep for the maximum,
// the sum of exponentials and the entropy, and, where a loss is local to the token, a second sweep
// that writes the gradient over the logits while they are still in the L2 cache.
#pragma once
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/reduce.cuh"
#include "core/ops/token_loss_kernel.h"

namespace plumb {

inline constexpr int kHeadThreads = 512;

// Of some values z: their maximum m, s = sum e^(z - m), w = sum (z - m) e^(z - m).
struct SoftmaxSums {
  float peak, sum, weighted;

  static __device__ __forceinline__ SoftmaxSums none() { return {-3.402823466e38f, 0.0f, 0.0f}; }
  // Raises the maximum to at least `to`.
  __device__ __forceinline__ void raise(float to) {
    if (to > peak) {
      const float shift = peak - to, shrink = expf(shift);
      weighted = shrink > 0.0f ? (weighted + shift * sum) * shrink : 0.0f;
      sum *= shrink;
      peak = to;
    }
  }
  __device__ __forceinline__ void add(float z) {
    const float e = expf(z - peak);
    sum += e;
    weighted += e > 0.0f ? (z - peak) * e : 0.0f;
  }
  __device__ __forceinline__ void merge(SoftmaxSums other) {
    raise(other.peak);
    other.raise(peak);
    sum += other.sum;
    weighted += other.weighted;
  }
};

// The sums of a block's row; the same bits for all threads.
__device__ __forceinline__ SoftmaxSums block_merge(SoftmaxSums mine, SoftmaxSums* of_warps) {
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    mine.merge({__shfl_down_sync(kAllLanes, mine.peak, distance),
                __shfl_down_sync(kAllLanes, mine.sum, distance),
                __shfl_down_sync(kAllLanes, mine.weighted, distance)});
  }
  if (threadIdx.x % kWarpSize == 0) {
    of_warps[threadIdx.x / kWarpSize] = mine;
  }
  __syncthreads();
  SoftmaxSums all = of_warps[0];
  for (int warp = 1; warp < static_cast<int>(blockDim.x) / kWarpSize; ++warp) {
    all.merge(of_warps[warp]);
  }
  return all;
}

// From a value of x W^T to the score that enters the softmax, and back.
struct HeadScore {
  float inverse_temperature, softcap;

  __device__ __forceinline__ float capped(float logit) const {
    return softcap > 0.0f ? softcap * tanhf(logit / softcap) : logit;
  }
  __device__ __forceinline__ float at(float logit) const {
    return capped(logit) * inverse_temperature;
  }
  // d score / d logit
  __device__ __forceinline__ float slope(float logit) const {
    const float bent = softcap > 0.0f ? capped(logit) / softcap : 0.0f;
    return inverse_temperature * (1.0f - bent * bent);
  }
};

// log p_j = (z_j - peak) - log_sum: kept apart, for their sum loses the low bits of large scores.
struct TokenResult {
  float logprob, entropy, peak, log_sum;
};

// What a loss asks of a token: d loss / d logprob and d loss / d entropy.
struct TokenGradient {
  float logprob, entropy;
};

// Calls visit(place, value) for the thread's share of a row of V values; kPack-wide where whole.
template <class T, int kPack, class Visit>
__device__ __forceinline__ void for_row_packs(const T* row, int64_t vocab, const Visit& visit) {
  const int64_t whole = vocab / kPack * kPack;
  for (int64_t at = threadIdx.x * kPack; at < whole; at += blockDim.x * kPack) {
    visit(at, load_pack<T, kPack>(row + at));
  }
  if constexpr (kPack > 1) {
    for (int64_t at = whole + threadIdx.x; at < vocab; at += blockDim.x) {
      visit(at, load_pack<T, 1>(row + at));
    }
  }
}

template <class T, int kCount>
__device__ __forceinline__ void add_scores(SoftmaxSums& sums, const Pack<T, kCount>& pack,
                                           const HeadScore& score) {
  float scores[kCount];
  float peak = sums.peak;
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    scores[v] = score.at(to_float(pack.values[v]));
    peak = fmaxf(peak, scores[v]);
  }
  sums.raise(peak);
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    sums.add(scores[v]);
  }
}

// d loss / d logit_j = (([j = t] - p_j) grad_logprob - p_j (log p_j + H) grad_entropy) slope_j
template <class T, int kCount>
__device__ __forceinline__ void to_gradient(Pack<T, kCount>& pack, int64_t target_in_pack,
                                            const HeadScore& score, const TokenResult& token,
                                            const TokenGradient& grad) {
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    const float logit = to_float(pack.values[v]);
    const float log_p = (score.at(logit) - token.peak) - token.log_sum;
    const float p = expf(log_p);
    const float of_entropy = p > 0.0f ? grad.entropy * (log_p + token.entropy) : 0.0f;
    const float hit = v == target_in_pack ? grad.logprob : 0.0f;
    pack.values[v] = from_float<T>((hit - p * (grad.logprob + of_entropy)) * score.slope(logit));
  }
}

// Losses say whether a token counts at all, and its gradient. None: only results are wanted.
struct NoLoss {
  static constexpr bool kHasGradient = false;
  __device__ __forceinline__ TokenGradient gradient(int64_t, const TokenResult&) const {
    return {0.0f, 0.0f};
  }
};

// A block a row. A target below 0 is no target: its results are 0, its gradient too.
template <class T, int kPack, class Loss>
__global__ void __launch_bounds__(kHeadThreads) head_rows_kernel(HeadRows head, Loss loss) {
  PLUMB_SHARED_ARRAY(SoftmaxSums, of_warps, kHeadThreads / kWarpSize);
  const int64_t row = blockIdx.x;
  T* const logits = static_cast<T*>(head.logits) + row * head.row_stride;
  const int64_t target = head.targets[row];
  const HeadScore score{head.inverse_temperature, head.softcap};
  const float of_target = target >= 0 ? score.at(to_float(logits[target])) : 0.0f;
  SoftmaxSums sums = SoftmaxSums::none();
  for_row_packs<T, kPack>(logits, head.vocab,
                          [&](int64_t, const auto& pack) { add_scores(sums, pack, score); });
  sums = block_merge(sums, of_warps);  // its barrier also ends the reads of logits[target]
  const float log_sum = logf(sums.sum);
  TokenResult token{of_target - sums.peak - log_sum, log_sum - sums.weighted / sums.sum, sums.peak,
                    log_sum};
  if (threadIdx.x == 0) {
    head.logprobs[row] = target >= 0 ? token.logprob : 0.0f;
    head.entropy[row] = target >= 0 ? token.entropy : 0.0f;
  }
  if constexpr (Loss::kHasGradient) {
    const TokenGradient grad = target >= 0 ? loss.gradient(row, token) : TokenGradient{0.0f, 0.0f};
    for_row_packs<T, kPack>(logits, head.vocab, [&](int64_t at, auto pack) {
      to_gradient(pack, target - at, score, token, grad);
      store_pack(logits + at, pack);
    });
  }
}

template <class Loss>
void launch_head_rows(const HeadRows& head, const Loss& loss, KernelStream stream) {
  if (head.rows == 0) {
    return;
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(head.rows)), dim3(kHeadThreads)};
  with_dtype(head.dtype, [&](auto type) {
    using T = decltype(type);
    if (is_vectorizable<T>(head.logits, head.row_stride)) {
      PLUMB_LAUNCH((head_rows_kernel<T, kVectorOf<T>, Loss>), shape, stream, head, loss);
    } else {
      PLUMB_LAUNCH((head_rows_kernel<T, 1, Loss>), shape, stream, head, loss);
    }
  });
}

}  // namespace plumb
