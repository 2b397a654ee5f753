#include "ppo/advantage.h"

#include <cmath>

#include "core/error.h"
#include "ppo/advantage_device.h"

namespace plumb {

KlEstimator parse_kl_estimator(const std::string& name) {
  if (name == "k1") return KlEstimator::k1;
  if (name == "k2") return KlEstimator::k2;
  if (name == "k3") return KlEstimator::k3;
  throw Error("kl.estimator must be k1, k2 or k3, got '" + name + "'", Exit::usage);
}

at::Tensor kl_estimate(const at::Tensor& logprobs, const at::Tensor& ref_logprobs,
                       KlEstimator estimator) {
  TORCH_CHECK(logprobs.sizes() == ref_logprobs.sizes(), "kl_estimate: logprobs are ",
              logprobs.sizes(), ", ref_logprobs ", ref_logprobs.sizes());
  const at::Tensor log_ratio = ref_logprobs - logprobs;
  switch (estimator) {
    case KlEstimator::k1:
      return -log_ratio;
    case KlEstimator::k2:
      return 0.5 * log_ratio.square();
    case KlEstimator::k3:
      return log_ratio.expm1() - log_ratio;
  }
  TORCH_CHECK(false, "kl_estimate: unknown estimator");
}

std::vector<int64_t> state_offsets(const std::vector<int64_t>& cu_response, int64_t window,
                                   ScorePlacement placement) {
  std::vector<int64_t> cu_states{0};
  for (std::size_t b = 0; b + 1 < cu_response.size(); ++b) {
    const int64_t length = cu_response[b + 1] - cu_response[b];
    TORCH_CHECK(length >= 1 && length <= window, "state_offsets: response ", b, " has ", length,
                " tokens, the window is ", window);
    const bool one_more = placement == ScorePlacement::after_eos && length < window;
    cu_states.push_back(cu_states.back() + length + (one_more ? 1 : 0));
  }
  return cu_states;
}

at::Tensor token_states(const std::vector<int64_t>& cu_response,
                        const std::vector<int64_t>& cu_states) {
  at::Tensor states = at::empty({cu_response.back()}, at::kLong);
  int64_t* state = states.data_ptr<int64_t>();
  for (std::size_t b = 0; b + 1 < cu_response.size(); ++b) {
    for (int64_t t = 0; t < cu_response[b + 1] - cu_response[b]; ++t) {
      state[cu_response[b] + t] = cu_states[b] + t;
    }
  }
  return states;
}

at::Tensor kl_rewards(const at::Tensor& kl, const at::Tensor& scores, double coef,
                      const RaggedOffsets& offsets) {
  const auto num_responses = static_cast<int64_t>(offsets.cu_response.size()) - 1;
  TORCH_CHECK(kl.numel() == offsets.cu_response.back() && scores.numel() == num_responses,
              "kl_rewards: kl is ", kl.sizes(), ", scores ", scores.sizes(), " for ",
              offsets.cu_response.back(), " tokens in ", num_responses, " responses");
  at::Tensor rewards = at::zeros({offsets.cu_states.back()}, kl.options());
  rewards.index_copy_(0, token_states(offsets.cu_response, offsets.cu_states).to(kl.device()),
                      -coef * kl);
  const std::vector<int64_t> ends(offsets.cu_states.begin() + 1, offsets.cu_states.end());
  const at::Tensor last = at::tensor(ends, at::kLong).sub_(1).to(kl.device());
  return rewards.index_add_(0, last, scores.to(kl.options()));
}

TokenRewards token_rewards(const TokenLogprobs& logprobs, const at::Tensor& scores,
                           const KlPenalty& penalty, const RaggedOffsets& offsets) {
  if (const KernelTable* const kernels = kernels_for(logprobs.policy)) {
    return device_token_rewards(*kernels, logprobs, scores, penalty, offsets);
  }
  const at::Tensor kl = kl_estimate(logprobs.policy, logprobs.reference, penalty.estimator);
  return {kl, kl_rewards(kl, scores, penalty.coef, offsets)};
}

at::Tensor gae(const at::Tensor& rewards, const at::Tensor& values,
               const std::vector<int64_t>& cu_states, const GaeOptions& options) {
  TORCH_CHECK(rewards.numel() == cu_states.back() && values.numel() == cu_states.back(),
              "gae: rewards are ", rewards.sizes(), ", values ", values.sizes(), " for ",
              cu_states.back(), " states");
  if (const KernelTable* const kernels = kernels_for(rewards)) {
    return device_gae(*kernels, rewards, values, cu_states, options);
  }
  const double gamma = options.gamma, lam = options.lambda;
  const at::Tensor r = rewards.to(at::kCPU, at::kDouble).contiguous();
  const at::Tensor v = values.to(at::kCPU, at::kDouble).contiguous();
  at::Tensor advantages = at::empty_like(r);
  const double* reward = r.data_ptr<double>();
  const double* value = v.data_ptr<double>();
  double* advantage = advantages.data_ptr<double>();
  for (std::size_t b = 0; b + 1 < cu_states.size(); ++b) {
    double next_value = 0.0;
    double next_advantage = 0.0;
    for (int64_t s = cu_states[b + 1] - 1; s >= cu_states[b]; --s) {
      const double delta = reward[s] + gamma * next_value - value[s];
      next_advantage = delta + gamma * lam * next_advantage;
      next_value = value[s];
      advantage[s] = next_advantage;
    }
  }
  return advantages.to(rewards.options());
}

double Moments::variance() const {
  if (count < 2) return 0.0;
  return std::max(0.0, (sum_squares - sum * sum / count) / (count - 1));
}

Moments moments(const at::Tensor& values) {
  if (const KernelTable* const kernels = kernels_for(values)) {
    return device_moments(*kernels, values);
  }
  const at::Tensor x = values.to(at::kDouble);
  return {static_cast<double>(x.numel()), x.sum().item<double>(), x.square().sum().item<double>()};
}

Moments operator+(const Moments& left, const Moments& right) {
  return {left.count + right.count, left.sum + right.sum, left.sum_squares + right.sum_squares};
}

Moments over_ranks(const Moments& local, Comm& comm) {
  at::Tensor all = at::tensor({local.count, local.sum, local.sum_squares}, at::kDouble);
  comm.all_reduce_sum(all);
  const double* x = all.data_ptr<double>();
  return {x[0], x[1], x[2]};
}

at::Tensor whiten(const at::Tensor& values, const Moments& moments) {
  if (const KernelTable* const kernels = kernels_for(values)) {
    return device_whiten(*kernels, values, moments, WhitenedMean::zero);
  }
  return (values - moments.mean()) / std::sqrt(moments.variance() + 1e-8);
}

at::Tensor whiten_keep_mean(const at::Tensor& values, const Moments& moments) {
  if (const KernelTable* const kernels = kernels_for(values)) {
    return device_whiten(*kernels, values, moments, WhitenedMean::kept);
  }
  return whiten(values, moments) + moments.mean();
}

}  // namespace plumb
