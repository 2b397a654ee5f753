#include "core/ops/cuda/adamw.cuh"
#include "core/ops/cuda/dynamic_code.cuh"
#include "core/ops/cuda/reduce.cuh"

namespace plumb {
namespace {

constexpr int kSignedZero = 127;                            // the code of 0 in the signed map
constexpr int kQuads = kAdamW8Block / (kWarpSize * kFour);  // of a lane, in its warp's block
using Codes = Pack<uint8_t, kFour>;

// Four values of a state whose block reaches `absmax`.
__device__ __forceinline__ Pack<float, kFour> decoded(const Codes& codes, const float* map,
                                                      float absmax) {
  Pack<float, kFour> values;
#pragma unroll
  for (int i = 0; i < kFour; ++i) {
    values.values[i] = map[codes.values[i]] * absmax;
  }
  return values;
}

// What a block keeps of the maps, signed then unsigned: values, and the middles between them. Codes
// are as good as random, so lookups meet on banks: one to decode and two to encode a value.
struct Maps {
  float values[2][256];
  float middles[2][256];
};

template <bool kSigned>
__device__ __forceinline__ Codes encoded(const Pack<float, kFour>& values, const float* middles,
                                         float absmax) {
  Codes codes;
#pragma unroll
  for (int i = 0; i < kFour; ++i) {
    const float x = absmax > 0.0f ? values.values[i] / absmax : 0.0f;
    int code = dynamic_code<kSigned>(x, [&](int below) { return middles[below]; });
    if (kSigned && x < 0.0f && code >= kSignedZero) {
      --code;  // as bitsandbytes: an average keeps its sign
    }
    codes.values[i] = static_cast<uint8_t>(code);
  }
  return codes;
}

__device__ __forceinline__ float largest(const Pack<float, kFour>& values, float most) {
#pragma unroll
  for (int i = 0; i < kFour; ++i) {
    most = fmaxf(most, fabsf(values.values[i]));
  }
  return most;
}

// A warp updates one block of 256 values, eight a lane.
template <AdamWWeights kWeights, class G>
__device__ __forceinline__ void update_block(const AdamWTensor& tensor, int64_t block, float scale,
                                             const Maps& maps, const AdamWFactors& by) {
  const int64_t begin = block * kAdamW8Block + threadIdx.x % kWarpSize * kFour;
  auto* const averages = static_cast<uint8_t*>(tensor.exp_avg);
  auto* const squares = static_cast<uint8_t*>(tensor.exp_avg_sq);
  const auto keep = static_cast<float>(1.0 - by.lr * tensor.weight_decay);
  const float old_avg = tensor.absmax_avg[block], old_sq = tensor.absmax_sq[block];
  Pack<float, kFour> m[kQuads], v[kQuads];
  float most_avg = 0.0f, most_sq = 0.0f;
#pragma unroll
  for (int q = 0; q < kQuads; ++q) {
    const int64_t at = begin + q * kWarpSize * kFour, left = tensor.count - at;
    const Pack<G, kFour> grad = load_four(static_cast<const G*>(tensor.grad) + at, left);
    m[q] = decoded(load_four<uint8_t>(averages + at, left), maps.values[0], old_avg);
    v[q] = decoded(load_four<uint8_t>(squares + at, left), maps.values[1], old_sq);
    Pack<float, kFour> weights = load_weights<kWeights>(tensor, at);
#pragma unroll
    for (int i = 0; i < kFour; ++i) {
      update_moments(m[q].values[i], v[q].values[i], to_float(grad.values[i]) * scale, by);
      if (i >= left) {  // code 0 of the signed map is no zero
        m[q].values[i] = 0.0f;
        v[q].values[i] = 0.0f;
      }
      weights.values[i] = stepped(weights.values[i], m[q].values[i], v[q].values[i], keep, by);
    }
    store_weights<kWeights>(tensor, at, weights, by);
    most_avg = largest(m[q], most_avg);
    most_sq = largest(v[q], most_sq);
  }
  most_avg = warp_max(most_avg);
  most_sq = warp_max(most_sq);
#pragma unroll
  for (int q = 0; q < kQuads; ++q) {
    const int64_t at = begin + q * kWarpSize * kFour, left = tensor.count - at;
    store_four(averages + at, encoded<true>(m[q], maps.middles[0], most_avg), left);
    store_four(squares + at, encoded<false>(v[q], maps.middles[1], most_sq), left);
  }
  __syncwarp();  // all lanes have read the old scales
  if (threadIdx.x % kWarpSize == 0) {
    tensor.absmax_avg[block] = most_avg;
    tensor.absmax_sq[block] = most_sq;
  }
}

template <AdamWWeights kWeights, class G>
__global__ void __launch_bounds__(kAdamWThreads)
    adamw8_kernel(AdamWUpdate update, AdamWFactors by) {
  PLUMB_SHARED_ARRAY(Maps, maps, 1);
  const float scale = gradient_scale(update.clip);
  if (scale == 0.0f) {
    return;
  }
  for (int i = threadIdx.x; i < 512; i += kAdamWThreads) {
    maps[0].values[i / 256][i % 256] = update.dynamic_maps[i];
    maps[0].middles[i / 256][i % 256] =
        i % 256 < 255 ? dynamic_middle(update.dynamic_maps, i) : 1.0f;
  }
  __syncthreads();
  const int64_t index = tensor_of_block(update.first_chunk, update.num_tensors);
  const AdamWTensor tensor = update.tensors[index];
  constexpr int64_t kBlocks = kAdamW8Chunk / kAdamW8Block;
  const int64_t block =
      (blockIdx.x - update.first_chunk[index]) * kBlocks + threadIdx.x / kWarpSize;
  if (block * kAdamW8Block < tensor.count) {
    update_block<kWeights, G>(tensor, block, scale, maps[0], by);
  }
}

}  // namespace

void launch_adamw8(const AdamWUpdate& update, KernelStream stream) {
  static_assert(kAdamW8Chunk == kAdamWThreads / kWarpSize * kAdamW8Block);
  if (update.chunks == 0) {
    return;
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(update.chunks)), dim3(kAdamWThreads)};
  with_adamw_types(update, [&](auto weights, auto grad) {
    constexpr auto kWeights = static_cast<AdamWWeights>(decltype(weights)::value);
    PLUMB_LAUNCH((adamw8_kernel<kWeights, decltype(grad)>), shape, stream, update,
                 adamw_factors(update));
  });
}

}  // namespace plumb
