// Every GPU kernel of the product, as one table of launchers: an entry an op. libplumb_cuda.so
// exports it (compiled by nvcc), and so does a build whose kernels run on the CPU under
// tests/simt: callers see the same functions of raw pointers, sizes and a stream either way.
// A launcher only enqueues work on its stream, allocates nothing, and throws Error when the launch
// is refused. What its arguments mean stands in the op's own header.
#pragma once
#include <cstdint>

#include "core/ops/activation_kernel.h"
#include "core/ops/adamw_kernel.h"
#include "core/ops/embedding_kernel.h"
#include "core/ops/gae_kernel.h"
#include "core/ops/grad_norm_kernel.h"
#include "core/ops/head_norm_kernel.h"
#include "core/ops/kl_rewards_kernel.h"
#include "core/ops/layer_norm_kernel.h"
#include "core/ops/low_rank_kernel.h"
#include "core/ops/nf4_kernel.h"
#include "core/ops/paged_attention_kernel.h"
#include "core/ops/pair_loss_kernel.h"
#include "core/ops/quantised_gemv_kernel.h"
#include "core/ops/rms_norm_kernel.h"
#include "core/ops/rope_kernel.h"
#include "core/ops/sampling_kernel.h"
#include "core/ops/token_loss_kernel.h"
#include "core/ops/value_loss_kernel.h"
#include "core/ops/varlen_attention_kernel.h"
#include "core/ops/whiten_kernel.h"

namespace plumb {

struct KernelTable {
  int64_t bytes = 0;  // sizeof(KernelTable) of the library that filled it

  decltype(&launch_embedding_forward) embedding_forward = nullptr;
  decltype(&launch_embedding_backward) embedding_backward = nullptr;
  decltype(&launch_rms_norm_forward) rms_norm_forward = nullptr;
  decltype(&launch_rms_norm_backward) rms_norm_backward = nullptr;
  decltype(&launch_layer_norm_forward) layer_norm_forward = nullptr;
  decltype(&launch_layer_norm_backward) layer_norm_backward = nullptr;
  decltype(&launch_rope) rope = nullptr;
  decltype(&launch_activation_forward) activation_forward = nullptr;
  decltype(&launch_activation_backward) activation_backward = nullptr;
  decltype(&launch_cache_write) cache_write = nullptr;
  decltype(&launch_decode_attention) decode_attention = nullptr;
  decltype(&launch_head_stats) head_stats = nullptr;
  decltype(&launch_head_gradient) head_gradient = nullptr;
  decltype(&launch_cross_entropy) cross_entropy = nullptr;
  decltype(&launch_policy_head) policy_head = nullptr;
  decltype(&launch_gae) gae = nullptr;
  decltype(&launch_grad_norm) grad_norm = nullptr;
  decltype(&launch_adamw) adamw = nullptr;
  decltype(&launch_adamw8) adamw8 = nullptr;
  decltype(&launch_moments) moments = nullptr;
  decltype(&launch_whiten) whiten = nullptr;
  decltype(&launch_kl_rewards) kl_rewards = nullptr;
  decltype(&launch_value_loss) value_loss = nullptr;
  decltype(&launch_pair_loss) pair_loss = nullptr;
  decltype(&launch_head_norm_forward) head_norm_forward = nullptr;
  decltype(&launch_head_norm_backward) head_norm_backward = nullptr;
  decltype(&launch_sample_tokens) sample_tokens = nullptr;
  decltype(&launch_varlen_forward) varlen_forward = nullptr;
  decltype(&launch_varlen_backward) varlen_backward = nullptr;
  decltype(&launch_nf4_quantise) nf4_quantise = nullptr;
  decltype(&launch_nf4_dequantise) nf4_dequantise = nullptr;
  decltype(&launch_nf4_gemv) nf4_gemv = nullptr;
  decltype(&launch_int8_gemv) int8_gemv = nullptr;
  decltype(&launch_int8_quantise) int8_quantise = nullptr;
  decltype(&launch_low_rank_forward) low_rank_forward = nullptr;
  decltype(&launch_low_rank_backward) low_rank_backward = nullptr;
};

inline constexpr const char* kKernelTableSymbol = "plumb_kernel_table";

}  // namespace plumb

// What kKernelTableSymbol names in an opened library; the table lives as long as the library.
extern "C" const plumb::KernelTable* plumb_kernel_table();
