// Tokens drawn on a device by the kernel of core/ops/sampling_kernel.h.
#pragma once
#include "core/ops/backend.h"

namespace plumb {

struct DeviceDraw {
  at::Tensor logits;      // (N, V), rows dense
  at::Tensor sample_ids;  // (N) int64, the bits of uint64
  at::Tensor positions;   // (N) int64: of the token that is drawn
  at::Tensor seen;        // (N, seen_words(V)) int32 or undefined: gains the drawn token
  at::Tensor banned;      // int32 or undefined
  at::Tensor is_banning;  // (N) uint8, with `banned`
  uint64_t seed = 0;
  SamplingFilters filters = {};
};

// drawn: (2, N) int32: ids (-1 where the logits are not all finite), and the bits of the f32
// log-probabilities.
void device_sample(const KernelTable& kernels, const DeviceDraw& draw, const at::Tensor& drawn);

}  // namespace plumb
