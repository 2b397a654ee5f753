#include "core/ops/pair_loss_kernel.h"

#include "core/ops/cuda/column_sum64.cuh"

namespace plumb {
namespace {

// One block: pairs are few.
__global__ void __launch_bounds__(kSum64Threads) pair_loss_kernel(PairLoss op) {
  double sums[kPairLossSums] = {};
  const float scale = *op.scale;
  for (int64_t i = threadIdx.x; i < op.pairs; i += kSum64Threads) {
    const float chosen = op.chosen[i], rejected = op.rejected[i];
    const float gap = chosen - rejected - (op.margin == nullptr ? 0.0f : op.margin[i]);
    const float both = chosen + rejected;
    // softplus(-gap) and sigmoid(-gap) without overflow, from e^-|gap|.
    const float e = expf(-fabsf(gap));
    const float loss = log1pf(e) + fmaxf(-gap, 0.0f);
    const float chance = (gap > 0.0f ? e : 1.0f) / (1.0f + e);
    sums[0] += loss + op.centering * both * both;
    sums[1] += chosen > rejected ? 1.0 : 0.0;
    const float pull = 2.0f * op.centering * both;
    op.grad_chosen[i] = scale * (pull - chance);
    op.grad_rejected[i] = scale * (pull + chance);
  }
  store_block_sums(op.sums, sums);
}

}  // namespace

void launch_pair_loss(const PairLoss& op, KernelStream stream) {
  const LaunchShape shape{dim3(1), dim3(kSum64Threads)};
  PLUMB_LAUNCH(pair_loss_kernel, shape, stream, op);
}

}  // namespace plumb
