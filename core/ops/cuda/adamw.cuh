// What both forms of AdamW share: finding a block's tensor, four values a thread, the step of a
// weight, and how weights are stored.
#pragma once
#include <cmath>

#include "core/ops/adamw_kernel.h"
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/philox.cuh"

namespace plumb {

inline constexpr int kAdamWThreads = 256;
inline constexpr int kFour = 4;  // values a thread moves at a time

// Numbers of a step, formed in f64 on the host.
struct AdamWFactors {
  float beta1, beta2, one_minus_beta1, one_minus_beta2;
  float step_size;     // lr / (1 - beta1^t)
  float inverse_root;  // 1 / sqrt(1 - beta2^t)
  float eps;
  double lr;
  uint64_t updates;
  PhiloxKey key;
};

inline AdamWFactors adamw_factors(const AdamWUpdate& update) {
  const double t = static_cast<double>(update.updates);
  return {.beta1 = static_cast<float>(update.beta1),
          .beta2 = static_cast<float>(update.beta2),
          .one_minus_beta1 = static_cast<float>(1.0 - update.beta1),
          .one_minus_beta2 = static_cast<float>(1.0 - update.beta2),
          .step_size = static_cast<float>(update.lr / (1.0 - std::pow(update.beta1, t))),
          .inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(update.beta2, t))),
          .eps = static_cast<float>(update.eps),
          .lr = update.lr,
          .updates = static_cast<uint64_t>(update.updates),
          .key = device_philox_key(update.seed, Stream::rounding)};
}

// The tensor of a block: the last that begins at or before it.
__device__ __forceinline__ int64_t tensor_of_block(const int64_t* first_chunk, int64_t tensors) {
  int64_t low = 0, high = tensors;  // first_chunk[low] <= block < first_chunk[high]
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (first_chunk[middle] <= blockIdx.x ? low : high) = middle;
  }
  return low;
}

template <class T>
__device__ __forceinline__ Pack<T, kFour> load_four(const T* from, int64_t left) {
  if (left >= kFour) {
    return load_pack<T, kFour>(from);
  }
  Pack<T, kFour> pack{};
#pragma unroll
  for (int v = 0; v < kFour; ++v) {
    if (v < left) {
      pack.values[v] = from[v];
    }
  }
  return pack;
}

template <class T>
__device__ __forceinline__ void store_four(T* to, const Pack<T, kFour>& pack, int64_t left) {
  if (left >= kFour) {
    store_pack(to, pack);
    return;
  }
#pragma unroll
  for (int v = 0; v < kFour; ++v) {
    if (v < left) {
      to[v] = pack.values[v];
    }
  }
}

__device__ __forceinline__ void update_moments(float& m, float& v, float grad,
                                               const AdamWFactors& by) {
  m = m * by.beta1 + by.one_minus_beta1 * grad;
  v = v * by.beta2 + by.one_minus_beta2 * grad * grad;
}

// keep: 1 - lr weight_decay.
__device__ __forceinline__ float stepped(float weight, float m, float v, float keep,
                                         const AdamWFactors& by) {
  return weight * keep - by.step_size * m / (sqrtf(v) * by.inverse_root + by.eps);
}

// Rounds up with the chance that the value lies above the lower of its two neighbours in bf16.
// `chance` is uniform over 16 bits. Infinities and NaN stay.
__device__ __forceinline__ bfloat16 rounded_by_chance(float value, uint32_t chance) {
  const uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7F800000u) == 0x7F800000u) {
    return from_float<bfloat16>(value);
  }
  return __ushort_as_bfloat16(static_cast<unsigned short>((bits + chance) >> 16));
}

// Four weights, kept as kWeights says; `at` is their first place in the tensor.
template <AdamWWeights kWeights>
__device__ __forceinline__ Pack<float, kFour> load_weights(const AdamWTensor& tensor, int64_t at) {
  const int64_t left = tensor.count - at;
  if constexpr (kWeights == AdamWWeights::f32) {
    return load_four(static_cast<const float*>(tensor.weight) + at, left);
  } else if constexpr (kWeights == AdamWWeights::bf16_with_master) {
    return load_four<float>(tensor.master + at, left);
  } else {
    const Pack<bfloat16, kFour> kept =
        load_four(static_cast<const bfloat16*>(tensor.weight) + at, left);
    Pack<float, kFour> weights;
#pragma unroll
    for (int v = 0; v < kFour; ++v) {
      weights.values[v] = to_float(kept.values[v]);
    }
    return weights;
  }
}

// By chance: words of (seed, Stream::rounding, tensor's id, update << 40 | at / 4), one a value.
template <AdamWWeights kWeights>
__device__ __forceinline__ void store_weights(const AdamWTensor& tensor, int64_t at,
                                              const Pack<float, kFour>& weights,
                                              const AdamWFactors& by) {
  const int64_t left = tensor.count - at;
  if constexpr (kWeights == AdamWWeights::f32) {
    store_four(static_cast<float*>(tensor.weight) + at, weights, left);
  } else {
    Pack<bfloat16, kFour> kept;
    if constexpr (kWeights == AdamWWeights::bf16_with_master) {
      store_four(tensor.master + at, weights, left);
#pragma unroll
      for (int v = 0; v < kFour; ++v) {
        kept.values[v] = from_float<bfloat16>(weights.values[v]);
      }
    } else {
      const uint64_t place = by.updates << 40 | static_cast<uint64_t>(at) / kFour;
      const uint4 words = philox_words(by.key, tensor.id, place);
      kept.values[0] = rounded_by_chance(weights.values[0], words.x >> 16);
      kept.values[1] = rounded_by_chance(weights.values[1], words.y >> 16);
      kept.values[2] = rounded_by_chance(weights.values[2], words.z >> 16);
      kept.values[3] = rounded_by_chance(weights.values[3], words.w >> 16);
    }
    store_four(static_cast<bfloat16*>(tensor.weight) + at, kept, left);
  }
}

// The scale of gradients; 0 where no update may be made.
__device__ __forceinline__ float gradient_scale(const GradientClip* clip) {
  return clip == nullptr ? 1.0f : clip->is_finite != 0 ? clip->scale : 0.0f;
}

// body(weights, gradient): constants for how weights are kept, and a value of gradients' type.
template <class Body>
void with_adamw_types(const AdamWUpdate& update, const Body& body) {
  with_dtype(update.grad_dtype, [&](auto grad) {
    switch (update.weights) {
      case AdamWWeights::f32:
        return body(Constant<static_cast<int>(AdamWWeights::f32)>{}, grad);
      case AdamWWeights::bf16_with_master:
        return body(Constant<static_cast<int>(AdamWWeights::bf16_with_master)>{}, grad);
      case AdamWWeights::bf16_rounded_by_chance:
        return body(Constant<static_cast<int>(AdamWWeights::bf16_rounded_by_chance)>{}, grad);
    }
  });
}

}  // namespace plumb
