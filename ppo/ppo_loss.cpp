#include "ppo/ppo_loss.h"

#include "core/error.h"
#include "ppo/value_loss_device.h"

namespace plumb {

namespace {

// exp(20) = 5e8: far beyond any clip, yet finite in f32 and its products too.
constexpr double kMaxLogRatio = 20.0;

double sum_f64(const at::Tensor& values) {
  return values.sum(at::kDouble).item<double>();
}

TokenLossChunk policy_loss_chunk(const TokenStats& rows, const PolicyTokens& tokens,
                                 const PolicyLossOptions& options, PolicyStats& stats) {
  const at::Tensor& advantage = tokens.advantages;
  const at::Tensor difference = rows.logprobs - tokens.old_logprobs;
  const at::Tensor ratio = difference.clamp(-kMaxLogRatio, kMaxLogRatio).exp();
  const at::Tensor plain = -advantage * ratio;
  const at::Tensor clipped =
      -advantage * ratio.clamp(1.0 - options.cliprange, 1.0 + options.cliprange);
  at::Tensor loss = at::maximum(plain, clipped);

  // d loss / d logprob: that of the plain branch, -A r, wherever it is the larger one. The clipped
  // branch is larger only where the clip binds, and there it is constant; so is a cut log ratio.
  at::Tensor is_live = (plain >= clipped).logical_and_(difference.abs() <= kMaxLogRatio);
  if (options.dual_clip) {
    const at::Tensor bound = -advantage * *options.dual_clip;
    const at::Tensor is_bounded = (advantage < 0).logical_and_(loss > bound);
    loss = at::where(is_bounded, bound, loss);
    is_live = is_live.logical_and_(is_bounded.logical_not());
  }

  stats.loss += sum_f64(loss);
  stats.approxkl += 0.5 * sum_f64(difference.square());
  stats.clipped += sum_f64(clipped > plain);
  stats.ratio += sum_f64(ratio);
  stats.entropy += sum_f64(rows.entropy);
  stats.tokens += static_cast<double>(ratio.numel());

  TokenLossChunk chunk;
  chunk.loss = sum_f64(loss) / options.num_tokens;
  chunk.grad_logprobs = plain * is_live / options.num_tokens;
  if (options.entropy_coef != 0) {
    chunk.loss -= options.entropy_coef * sum_f64(rows.entropy) / options.num_tokens;
    chunk.grad_entropy = at::full_like(rows.entropy, -options.entropy_coef / options.num_tokens);
  }
  return chunk;
}

}  // namespace

TokenLoss policy_loss(const PolicyTokens& tokens, const PolicyLossOptions& options,
                      PolicyStats& stats) {
  TORCH_CHECK(tokens.old_logprobs.sizes() == tokens.advantages.sizes(),
              "policy_loss: old_logprobs are ", tokens.old_logprobs.sizes(), ", advantages ",
              tokens.advantages.sizes());
  TORCH_CHECK(options.num_tokens > 0, "policy_loss: num_tokens must be over 0, got ",
              options.num_tokens);
  return [&tokens, options, &stats](const TokenStats& rows, int64_t begin) {
    const int64_t end = begin + rows.logprobs.size(0);
    const PolicyTokens chunk{tokens.old_logprobs.slice(0, begin, end),
                             tokens.advantages.slice(0, begin, end)};
    return policy_loss_chunk(rows, chunk, options, stats);
  };
}

TokenLossKernel policy_loss_kernel(const PolicyTokens& tokens, const PolicyLossOptions& options) {
  TORCH_CHECK(tokens.old_logprobs.is_contiguous() && tokens.advantages.is_contiguous(),
              "policy_loss_kernel: old_logprobs and advantages must be dense");
  const auto f32 = tokens.advantages.options();
  const at::Tensor scale = at::full({1}, 1.0 / options.num_tokens, f32);
  return [&tokens, options, scale](const KernelTable& kernels, const HeadRows& rows, int64_t begin,
                                   KernelStream stream) {
    kernels.policy_head(rows,
                        {.old_logprobs = tokens.old_logprobs.const_data_ptr<float>() + begin,
                         .advantages = tokens.advantages.const_data_ptr<float>() + begin,
                         .scale = scale.const_data_ptr<float>(),
                         .cliprange = static_cast<float>(options.cliprange),
                         .dual_clip = static_cast<float>(options.dual_clip.value_or(0.0)),
                         .entropy_coef = static_cast<float>(options.entropy_coef)},
                        stream);
  };
}

at::Tensor value_loss_sum(const ValueTargets& states, double cliprange, ValueStats& stats) {
  const auto& [values, old_values, returns] = states;
  TORCH_CHECK(values.sizes() == old_values.sizes() && values.sizes() == returns.sizes(),
              "value_loss_sum: values are ", values.sizes(), ", old_values ", old_values.sizes(),
              ", returns ", returns.sizes());
  if (const KernelTable* const kernels = kernels_for(values)) {
    return device_value_loss_sum(*kernels, states, cliprange, stats);
  }
  const at::Tensor near = values.clamp(old_values - cliprange, old_values + cliprange);
  const at::Tensor plain = (values - returns).square();
  const at::Tensor clipped = (near - returns).square();
  const at::Tensor loss = 0.5 * at::maximum(plain, clipped).sum();
  stats.loss += loss.item<double>();
  stats.clipped += (clipped > plain).sum().item<double>();
  stats.states += static_cast<double>(values.numel());
  return loss;
}

}  // namespace plumb
