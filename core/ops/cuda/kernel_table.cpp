#include "core/ops/kernel_table.h"

extern "C" const plumb::KernelTable* plumb_kernel_table() {
  using namespace plumb;
  static const KernelTable table{
      .bytes = sizeof(KernelTable),
      .embedding_forward = launch_embedding_forward,
      .embedding_backward = launch_embedding_backward,
      .rms_norm_forward = launch_rms_norm_forward,
      .rms_norm_backward = launch_rms_norm_backward,
      .layer_norm_forward = launch_layer_norm_forward,
      .layer_norm_backward = launch_layer_norm_backward,
      .rope = launch_rope,
      .activation_forward = launch_activation_forward,
      .activation_backward = launch_activation_backward,
      .cache_write = launch_cache_write,
      .decode_attention = launch_decode_attention,
      .head_stats = launch_head_stats,
      .head_gradient = launch_head_gradient,
      .cross_entropy = launch_cross_entropy,
      .policy_head = launch_policy_head,
      .gae = launch_gae,
      .grad_norm = launch_grad_norm,
      .adamw = launch_adamw,
      .adamw8 = launch_adamw8,
      .moments = launch_moments,
      .whiten = launch_whiten,
      .kl_rewards = launch_kl_rewards,
      .value_loss = launch_value_loss,
      .pair_loss = launch_pair_loss,
      .head_norm_forward = launch_head_norm_forward,
      .head_norm_backward = launch_head_norm_backward,
      .sample_tokens = launch_sample_tokens,
      .varlen_forward = launch_varlen_forward,
      .varlen_backward = launch_varlen_backward,
  };
  return &table;
}
