#include "core/ops/cuda/adamw.cuh"

namespace plumb {
namespace {

template <AdamWWeights kWeights, class G>
__global__ void __launch_bounds__(kAdamWThreads) adamw_kernel(AdamWUpdate update, AdamWFactors by) {
  const float scale = gradient_scale(update.clip);
  if (scale == 0.0f) {
    return;
  }
  const int64_t index = tensor_of_block(update.first_chunk, update.num_tensors);
  const AdamWTensor tensor = update.tensors[index];
  const auto keep = static_cast<float>(1.0 - by.lr * tensor.weight_decay);
  const int64_t begin = (blockIdx.x - update.first_chunk[index]) * kAdamWChunk;
  const int64_t end = begin + kAdamWChunk < tensor.count ? begin + kAdamWChunk : tensor.count;
  for (int64_t at = begin + threadIdx.x * kFour; at < end; at += kAdamWThreads * kFour) {
    const int64_t left = tensor.count - at;
    float* const averages = static_cast<float*>(tensor.exp_avg) + at;
    float* const squares = static_cast<float*>(tensor.exp_avg_sq) + at;
    const Pack<G, kFour> grad = load_four(static_cast<const G*>(tensor.grad) + at, left);
    Pack<float, kFour> m = load_four<float>(averages, left);
    Pack<float, kFour> v = load_four<float>(squares, left);
    Pack<float, kFour> weights = load_weights<kWeights>(tensor, at);
#pragma unroll
    for (int i = 0; i < kFour; ++i) {
      update_moments(m.values[i], v.values[i], to_float(grad.values[i]) * scale, by);
      weights.values[i] = stepped(weights.values[i], m.values[i], v.values[i], keep, by);
    }
    store_four(averages, m, left);
    store_four(squares, v, left);
    store_weights<kWeights>(tensor, at, weights, by);
  }
}

}  // namespace

void launch_adamw(const AdamWUpdate& update, KernelStream stream) {
  if (update.chunks == 0) {
    return;
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(update.chunks)), dim3(kAdamWThreads)};
  with_adamw_types(update, [&](auto weights, auto grad) {
    constexpr auto kWeights = static_cast<AdamWWeights>(decltype(weights)::value);
    PLUMB_LAUNCH((adamw_kernel<kWeights, decltype(grad)>), shape, stream, update,
                 adamw_factors(update));
  });
}

}  // namespace plumb
