// The functions of ppo/advantage.h on a device, by kernels, in f32 with f64 sums.
#pragma once
#include "core/ops/backend.h"
#include "ppo/advantage.h"

namespace plumb {

TokenRewards device_token_rewards(const KernelTable& kernels, const TokenLogprobs& logprobs,
                                  const at::Tensor& scores, const KlPenalty& penalty,
                                  const RaggedOffsets& offsets);
at::Tensor device_gae(const KernelTable& kernels, const at::Tensor& rewards,
                      const at::Tensor& values, const std::vector<int64_t>& cu_states,
                      const GaeOptions& options);
Moments device_moments(const KernelTable& kernels, const at::Tensor& values);

enum class WhitenedMean { zero, kept };
at::Tensor device_whiten(const KernelTable& kernels, const at::Tensor& values,
                         const Moments& moments, WhitenedMean mean);

}  // namespace plumb
