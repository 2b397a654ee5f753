#include "core/ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>

#include <cmath>
#include <limits>

#include "core/ops/check.h"

namespace plumb {
namespace {

// One sequence as the flash op wants it, with no copy: kv heads stand where the op has its batch,
// and the query heads that share one are the op's heads. k and v repeat along them at stride 0.
struct HeadGroups {
  int64_t kv_heads;
  int64_t group;

  // (T, H, D) -> (K, H / K, T, D)
  at::Tensor queries(const at::Tensor& x) const {
    return x.unflatten(1, {kv_heads, group}).permute({1, 2, 0, 3});
  }
  // (T, K, D) -> (K, H / K, T, D)
  at::Tensor shared(const at::Tensor& x) const {
    return x.permute({1, 0, 2}).unsqueeze(1).expand({-1, group, -1, -1});
  }
};

void check_inputs(const AttentionInputs& in) {
  const int64_t rows = in.q.size(0), width = in.q.size(2), kv_heads = in.k.size(1);
  check_shape(in.q, {rows, -1, width}, "attention: q");
  check_shape(in.k, {rows, kv_heads, width}, "attention: k");
  check_shape(in.v, {rows, kv_heads, width}, "attention: v");
  if (in.q.size(1) % kv_heads != 0) {
    throw Error("attention: the number of kv heads (" + std::to_string(kv_heads) +
                ") must divide the number of query heads (" + std::to_string(in.q.size(1)) + ")");
  }
  if (in.cu_seqlens.empty() || in.cu_seqlens.front() != 0 || in.cu_seqlens.back() != rows) {
    throw Error("attention: cu_seqlens must run from 0 to the number of rows, " +
                std::to_string(rows));
  }
}

HeadGroups groups_of(const AttentionInputs& in) {
  return {in.k.size(1), in.q.size(1) / in.k.size(1)};
}

// Sequences in parallel while there are enough of them; inside a parallel region ATen's own loops
// run on the one thread. With a single sequence the flash op spreads its heads instead.
template <class Body>
void for_sequences(const AttentionInputs& in, const Body& body) {
  const auto count = static_cast<int64_t>(in.cu_seqlens.size()) - 1;
  const auto run = [&](int64_t begin, int64_t end) {
    // Pool threads do not inherit the caller's grad mode.
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    for (int64_t b = begin; b < end; ++b) {
      body(in.cu_seqlens[b], in.cu_seqlens[b + 1] - in.cu_seqlens[b]);
    }
  };
  if (count < at::get_num_threads()) {
    run(0, count);
  } else {
    at::parallel_for(0, count, 1, run);
  }
}

}  // namespace

AttentionOutput attention(const AttentionInputs& in) {
  check_inputs(in);
  const HeadGroups groups = groups_of(in);
  const int64_t rows = in.q.size(0), heads = in.q.size(1);
  AttentionOutput result{at::empty(in.q.sizes(), in.q.options()),
                         at::empty({heads, rows}, in.q.options())};
  for_sequences(in, [&](int64_t begin, int64_t length) {
    const auto [out, log_sum_exp] = at::_scaled_dot_product_flash_attention_for_cpu(
        groups.queries(in.q.narrow(0, begin, length)), groups.shared(in.k.narrow(0, begin, length)),
        groups.shared(in.v.narrow(0, begin, length)), /*dropout_p=*/0.0, /*is_causal=*/true);
    groups.queries(result.out.narrow(0, begin, length)).copy_(out);
    result.log_sum_exp.narrow(1, begin, length).copy_(log_sum_exp.flatten(0, 1));
  });
  return result;
}

void attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                        const at::Tensor& grad_out, const AttentionGrads& grad) {
  check_shape(grad_out, in.q.sizes(), "attention: grad_out");
  const HeadGroups groups = groups_of(in);
  for_sequences(in, [&](int64_t begin, int64_t length) {
    const auto rows = [&](const at::Tensor& x) { return x.narrow(0, begin, length); };
    const at::Tensor log_sum_exp =
        saved.log_sum_exp.narrow(1, begin, length).unflatten(0, {groups.kv_heads, groups.group});
    const auto [q, k, v] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        groups.queries(rows(grad_out)), groups.queries(rows(in.q)), groups.shared(rows(in.k)),
        groups.shared(rows(in.v)), groups.queries(rows(saved.out)), log_sum_exp,
        /*dropout_p=*/0.0, /*is_causal=*/true);
    groups.queries(rows(grad.q)).copy_(q);
    rows(grad.k).permute({1, 0, 2}).copy_(k.sum(1));
    rows(grad.v).permute({1, 0, 2}).copy_(v.sum(1));
  });
}

at::Tensor attention_ref(const AttentionInputs& in) {
  const HeadGroups groups = groups_of(in);
  const double scale = 1.0 / std::sqrt(static_cast<double>(in.q.size(2)));
  std::vector<at::Tensor> outs;
  for (std::size_t b = 0; b + 1 < in.cu_seqlens.size(); ++b) {
    const int64_t begin = in.cu_seqlens[b], length = in.cu_seqlens[b + 1] - begin;
    const at::Tensor q = groups.queries(in.q.narrow(0, begin, length));
    const at::Tensor k = groups.shared(in.k.narrow(0, begin, length));
    const at::Tensor v = groups.shared(in.v.narrow(0, begin, length));
    const at::Tensor later =
        at::ones({length, length}, q.options().dtype(at::kBool)).triu(/*diagonal=*/1);
    const at::Tensor scores = (q.matmul(k.transpose(-1, -2)) * scale)
                                  .masked_fill(later, -std::numeric_limits<double>::infinity());
    outs.push_back(scores.softmax(-1).matmul(v).permute({2, 0, 1, 3}).flatten(1, 2));
  }
  return at::cat(outs, 0);
}

}  // namespace plumb
