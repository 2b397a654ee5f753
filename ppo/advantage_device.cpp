#include "ppo/advantage_device.h"

namespace plumb {
namespace {

KlTerm kernel_term(KlEstimator estimator) {
  switch (estimator) {
    case KlEstimator::k1:
      return KlTerm::k1;
    case KlEstimator::k2:
      return KlTerm::k2;
    case KlEstimator::k3:
      return KlTerm::k3;
  }
  TORCH_CHECK(false, "kl: unknown estimator");
}

// Numbers of the host beside x.
at::Tensor beside(const at::Tensor& x, const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong).to(x.device());
}

}  // namespace

TokenRewards device_token_rewards(const KernelTable& kernels, const TokenLogprobs& logprobs,
                                  const at::Tensor& scores, const KlPenalty& penalty,
                                  const RaggedOffsets& offsets) {
  const at::Tensor policy = logprobs.policy.contiguous(),
                   reference = logprobs.reference.contiguous();
  const at::Tensor of_responses = scores.to(policy.options()).contiguous();
  const at::Tensor cu_response = beside(policy, offsets.cu_response);
  const at::Tensor cu_states = beside(policy, offsets.cu_states);
  const TokenRewards made{at::empty_like(policy),
                          at::empty({offsets.cu_states.back()}, policy.options())};
  kernels.kl_rewards({.rewards = made.rewards.mutable_data_ptr<float>(),
                      .kl = made.kl.mutable_data_ptr<float>(),
                      .logprobs = policy.const_data_ptr<float>(),
                      .ref_logprobs = reference.const_data_ptr<float>(),
                      .scores = of_responses.const_data_ptr<float>(),
                      .cu_response = cu_response.const_data_ptr<int64_t>(),
                      .cu_states = cu_states.const_data_ptr<int64_t>(),
                      .sequences = cu_response.numel() - 1,
                      .coef = static_cast<float>(penalty.coef),
                      .estimator = kernel_term(penalty.estimator)},
                     stream_of(policy));
  return made;
}

at::Tensor device_gae(const KernelTable& kernels, const at::Tensor& rewards,
                      const at::Tensor& values, const std::vector<int64_t>& cu_states,
                      const GaeOptions& options) {
  const at::Tensor r = rewards.contiguous(), v = values.contiguous();
  const at::Tensor bounds = beside(r, cu_states);
  const at::Tensor advantages = at::empty_like(r);
  kernels.gae({.advantages = advantages.mutable_data_ptr<float>(),
               .rewards = r.const_data_ptr<float>(),
               .values = v.const_data_ptr<float>(),
               .cu_states = bounds.const_data_ptr<int64_t>(),
               .sequences = bounds.numel() - 1,
               .gamma = static_cast<float>(options.gamma),
               .lambda = static_cast<float>(options.lambda)},
              stream_of(r));
  return advantages;
}

Moments device_moments(const KernelTable& kernels, const at::Tensor& values) {
  const at::Tensor x = values.contiguous();
  const auto f64 = x.options().dtype(at::kDouble);
  const at::Tensor sums = at::empty({kMoments}, f64);
  const at::Tensor partial = at::empty({moments_scratch(x.numel())}, f64);
  kernels.moments({.moments = sums.mutable_data_ptr<double>(),
                   .partial = partial.mutable_data_ptr<double>(),
                   .values = x.const_data_ptr<float>(),
                   .count = x.numel()},
                  stream_of(x));
  const at::Tensor host = sums.cpu();
  const double* const sum = host.const_data_ptr<double>();
  return {sum[0], sum[1], sum[2]};
}

at::Tensor device_whiten(const KernelTable& kernels, const at::Tensor& values,
                         const Moments& moments, WhitenedMean mean) {
  const at::Tensor x = values.contiguous();
  const at::Tensor sums =
      at::tensor({moments.count, moments.sum, moments.sum_squares}, at::kDouble).to(x.device());
  const at::Tensor out = at::empty_like(x);
  kernels.whiten({.out = out.mutable_data_ptr<float>(),
                  .values = x.const_data_ptr<float>(),
                  .moments = sums.const_data_ptr<double>(),
                  .count = x.numel(),
                  .keeps_mean = mean == WhitenedMean::kept},
                 stream_of(x));
  return out;
}

}  // namespace plumb
