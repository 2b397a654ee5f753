#include "core/ops/attention_composed.h"

#include <limits>

namespace plumb {
namespace {

// One sequence, kv heads first and the query heads that share one behind them.
struct Sequence {
  const AttentionInputs& in;
  int64_t query_begin, queries, key_begin, keys;

  // Position of a sequence's first query among its keys.
  int64_t shift() const { return in.options.is_causal ? keys - queries : 0; }
  int64_t kv_heads() const { return in.k.size(1); }

  // (N, H, D) -> (K, H / K, T, D)
  at::Tensor of_queries(const at::Tensor& x) const {
    return x.narrow(0, query_begin, queries).unflatten(1, {kv_heads(), -1}).permute({1, 2, 0, 3});
  }
  // (M, K, D) -> (K, 1, T, D)
  at::Tensor of_keys(const at::Tensor& x) const {
    return x.narrow(0, key_begin, keys).permute({1, 0, 2}).unsqueeze(1);
  }
  // (H, ...) -> (K, H / K, ...)
  at::Tensor grouped(const at::Tensor& x) const { return x.unflatten(0, {kv_heads(), -1}); }

  // key position - query position, (queries, keys)
  at::Tensor offsets() const {
    const auto options = at::TensorOptions(in.q.device()).dtype(at::kLong);
    return at::arange(keys, options).unsqueeze(0) -
           at::arange(shift(), shift() + queries, options).unsqueeze(1);
  }
};

template <class Body>
void for_sequences(const AttentionInputs& in, const Body& body) {
  const std::vector<int64_t>& keys = in.key_bounds();
  for (std::size_t b = 0; b + 1 < in.cu_seqlens.size(); ++b) {
    body(Sequence{in, in.cu_seqlens[b], in.cu_seqlens[b + 1] - in.cu_seqlens[b], keys[b],
                  keys[b + 1] - keys[b]});
  }
}

at::Tensor capped(const Sequence& s) {
  const at::Tensor scores =
      s.of_queries(s.in.q).matmul(s.of_keys(s.in.k).transpose(-1, -2)) * s.in.scale();
  const double cap = s.in.options.softcap;
  return cap > 0 ? (scores / cap).tanh() * cap : scores;
}

at::Tensor with_bias_and_mask(const Sequence& s, at::Tensor scores) {
  const AttentionOptions& options = s.in.options;
  if (options.key_bias.defined()) {
    scores = scores + s.grouped(options.key_bias.narrow(1, 0, s.keys)).unsqueeze(2);
  }
  const at::Tensor offsets = s.offsets();
  if (options.relative.table.defined()) {
    const int64_t past = s.shift() + s.queries - 1, future = s.keys - 1 - s.shift();
    const at::Tensor bias = relative_bias_by_offset(options.relative, past, future);
    const at::Tensor dense = bias.index_select(1, (offsets + past).flatten());
    scores = scores + s.grouped(dense.unflatten(1, {s.queries, s.keys}));
  }
  if (options.is_causal) {
    at::Tensor hidden = offsets > 0;
    if (options.window > 0) {
      hidden = hidden.logical_or(offsets <= -options.window);
    }
    scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  }
  return scores;
}

// grad: (K, H / K, queries, keys) of the biased scores, summed into the table's gradient.
void add_table_grad(const Sequence& s, const at::Tensor& grad, const at::Tensor& table_grad) {
  const int64_t past = s.shift() + s.queries - 1, future = s.keys - 1 - s.shift();
  const at::Tensor buckets = relative_buckets(s.in.options.relative, past, future);
  const at::Tensor bucket = buckets.index_select(0, (s.offsets() + past).flatten());
  table_grad.index_add_(0, bucket, grad.flatten(0, 1).flatten(1).t());
}

}  // namespace

AttentionOutput composed_attention(const AttentionInputs& in) {
  const int64_t rows = in.q.size(0), heads = in.q.size(1);
  AttentionOutput result{at::empty(in.q.sizes(), in.q.options()),
                         at::empty({heads, rows}, in.q.options())};
  for_sequences(in, [&](const Sequence& s) {
    const at::Tensor scores = with_bias_and_mask(s, capped(s));
    const at::Tensor log_sum_exp = scores.logsumexp(-1);
    const at::Tensor weights = (scores - log_sum_exp.unsqueeze(-1)).exp();
    s.of_queries(result.out).copy_(weights.matmul(s.of_keys(in.v)));
    result.log_sum_exp.narrow(1, s.query_begin, s.queries).copy_(log_sum_exp.flatten(0, 1));
  });
  return result;
}

void composed_attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                                 const at::Tensor& grad_out, const AttentionGrads& grad) {
  if (grad.relative_table.defined()) {
    grad.relative_table.zero_();
  }
  for_sequences(in, [&](const Sequence& s) {
    const at::Tensor scores = capped(s), g = s.of_queries(grad_out);
    const at::Tensor log_sum_exp =
        s.grouped(saved.log_sum_exp.narrow(1, s.query_begin, s.queries)).unsqueeze(-1);
    const at::Tensor weights = (with_bias_and_mask(s, scores) - log_sum_exp).exp();
    const at::Tensor delta = (g * s.of_queries(saved.out)).sum(-1, /*keepdim=*/true);
    at::Tensor grad_scores = weights * (g.matmul(s.of_keys(in.v).transpose(-1, -2)) - delta);
    if (grad.relative_table.defined()) {
      add_table_grad(s, grad_scores, grad.relative_table);
    }
    if (in.options.softcap > 0) {
      grad_scores = grad_scores * (1 - (scores / in.options.softcap).square());
    }
    grad_scores = grad_scores * in.scale();
    s.of_queries(grad.q).copy_(grad_scores.matmul(s.of_keys(in.k)));
    s.of_keys(grad.k).copy_(
        grad_scores.transpose(-1, -2).matmul(s.of_queries(in.q)).sum(1, /*keepdim=*/true));
    s.of_keys(grad.v).copy_(weights.transpose(-1, -2).matmul(g).sum(1, /*keepdim=*/true));
  });
}

at::Tensor attention_ref(const AttentionInputs& in) {
  std::vector<at::Tensor> outs;
  for_sequences(in, [&](const Sequence& s) {
    const at::Tensor weights = with_bias_and_mask(s, capped(s)).softmax(-1);
    outs.push_back(weights.matmul(s.of_keys(in.v)).permute({2, 0, 1, 3}).flatten(1, 2));
  });
  return at::cat(outs, 0);
}

}  // namespace plumb
