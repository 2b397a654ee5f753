// The KV cache's write, decode attention over it, and packed attention.
#include <algorithm>
#include <cmath>

#include "bench/kernels/kernel_case.h"

namespace plumb::kernels {
namespace {

constexpr int64_t kPage = 16;

struct Heads {
  int64_t heads, kv_heads, head_dim;
};
// SmolLM2-135M, Llama 3.2 1B, Llama 3 8B (a quarter of their heads), Gemma's wide heads; heads that
// are no multiple of 32.
constexpr Heads kHeads[] = {{9, 3, 64}, {8, 2, 64}, {8, 2, 128}, {2, 1, 256}, {3, 3, 40}};

std::string text_of(const Heads& of, const std::string& rest) {
  return std::to_string(of.heads) + "/" + std::to_string(of.kv_heads) + " heads of " +
         std::to_string(of.head_dim) + ", " + rest;
}

// Pages of the slots in a mixed order: slot b, page p lies at table[b][p].
at::Tensor page_table(int64_t slots, int64_t pages) {
  const int64_t count = slots * pages;
  return at::arange(count, at::kInt).flip(0).view({pages, slots}).t().contiguous();
}

at::ScalarType dtype_of(const Tensors& in) {
  return in[0].scalar_type();
}

PagedCache cache_of(const Heads& of, const Tensors& in, int64_t pages) {
  return {.keys = in[0].data_ptr(),
          .values = in[1].data_ptr(),
          .block_table = in[2].data_ptr<int32_t>(),
          .max_pages = pages,
          .page_size = kPage,
          .kv_heads = of.kv_heads,
          .head_dim = of.head_dim,
          .dtype = kernel_dtype_of(in[0])};
}

KernelCase cache_write(const Heads& of, int64_t tokens, at::ScalarType dtype) {
  constexpr int64_t kPages = 2;
  const int64_t width = of.kv_heads * of.head_dim;
  KernelCase one{.kernel = "cache_write",
                 .shape = text_of(of, std::to_string(tokens) + " tokens"),
                 .dtype = dtype,
                 .growth = 8192.0 / static_cast<double>(tokens),
                 .predicted_for = "8192 tokens"};
  one.inputs = {at::zeros({tokens * kPages, kPage, of.kv_heads, of.head_dim}, dtype),
                at::zeros({tokens * kPages, kPage, of.kv_heads, of.head_dim}, dtype),
                page_table(tokens, kPages),
                normal({tokens, width}, dtype, 23),
                normal({tokens, width}, dtype, 24),
                at::arange(tokens, at::kLong),
                at::arange(tokens, at::kLong).mul(5).remainder(kPage * kPages)};
  one.floor = 4 * bytes_of(one.inputs[3]) + static_cast<double>(tokens * (8 + 8 + 4));
  one.aten = [of](const Tensors& in) -> Tensors {
    const at::Tensor page = at::div(in[6], kPage, "floor"), place = in[6].remainder(kPage);
    const at::Tensor at_page = in[2].index({in[5], page}).to(at::kLong);
    const auto written = [&](const at::Tensor& cache, const at::Tensor& rows) {
      return cache.index_put({at_page, place}, rows.view({-1, of.kv_heads, of.head_dim}));
    };
    return {written(in[0], in[3]), written(in[1], in[4])};
  };
  one.prepare = [of, tokens, width](const KernelTable& table, const Tensors& in,
                                    const Place&) -> Prepared {
    const CacheWrite op{.cache = cache_of(of, in, kPages),
                        .k = in[3].data_ptr(),
                        .v = in[4].data_ptr(),
                        .slots = in[5].data_ptr<int64_t>(),
                        .positions = in[6].data_ptr<int64_t>(),
                        .tokens = tokens,
                        .row_stride = width};
    return {[&table, op] { table.cache_write(op, nullptr); }, {in[0], in[1]}};
  };
  return one;
}

// One query a sequence over all of its keys.
at::Tensor decoded(const Heads& of, const std::vector<int64_t>& lengths, const Tensors& in) {
  Tensors rows;
  for (size_t b = 0; b < lengths.size(); ++b) {
    const at::Tensor pages = in[2][static_cast<int64_t>(b)].to(at::kLong);
    const auto heads = [&](const at::Tensor& cache) {  // (H, length, D)
      return cache.index_select(0, pages)
          .view({-1, of.kv_heads, of.head_dim})
          .narrow(0, 0, lengths[b])
          .transpose(0, 1)
          .repeat_interleave(of.heads / of.kv_heads, 0)
          .unsqueeze(0);
    };
    const at::Tensor q = in[3][static_cast<int64_t>(b)].view({1, of.heads, 1, of.head_dim});
    rows.push_back(at::scaled_dot_product_attention(q, heads(in[0]), heads(in[1])).view({-1}));
  }
  return at::stack(rows);
}

KernelCase decode(const Heads& of, const std::vector<int64_t>& lengths, at::ScalarType dtype) {
  const auto queries = static_cast<int64_t>(lengths.size());
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const int64_t pages = (longest + kPage - 1) / kPage, keys = offsets(lengths).back();
  const double a_key = static_cast<double>(of.kv_heads * of.head_dim);
  KernelCase one{.kernel = "decode_attention",
                 .shape = text_of(of, std::to_string(queries) + " queries over " +
                                          std::to_string(keys) + " keys"),
                 .dtype = dtype,
                 .growth = 64.0 * 1024 / static_cast<double>(keys),
                 .predicted_for = "64 queries over 1024 keys each"};
  one.inputs = {normal({queries * pages, kPage, of.kv_heads, of.head_dim}, dtype, 20),
                normal({queries * pages, kPage, of.kv_heads, of.head_dim}, dtype, 21),
                page_table(queries, pages),
                normal({queries, of.heads * of.head_dim}, dtype, 22),
                at::arange(queries, at::kLong),
                longs(lengths)};
  one.floor =
      2 * static_cast<double>(keys) * a_key * static_cast<double>(one.inputs[0].itemsize()) +
      2 * bytes_of(one.inputs[3]) + static_cast<double>(queries * (16 + pages * 4));
  one.flops = 4.0 * static_cast<double>(keys * of.heads * of.head_dim);
  one.aten = [of, lengths](const Tensors& in) -> Tensors { return {decoded(of, lengths, in)}; };
  one.prepare = [of, queries, longest, pages](const KernelTable& table, const Tensors& in,
                                              const Place& place) -> Prepared {
    const at::Tensor out = place.empty({queries, of.heads * of.head_dim}, dtype_of(in)),
                     partial = place.empty(
                         {decode_attention_scratch(queries, of.heads, of.head_dim, longest)},
                         at::kFloat);
    const DecodeAttention op{.cache = cache_of(of, in, pages),
                             .out = out.data_ptr(),
                             .q = in[3].data_ptr(),
                             .slots = in[4].data_ptr<int64_t>(),
                             .lengths = in[5].data_ptr<int64_t>(),
                             .partial = partial.data_ptr<float>(),
                             .queries = queries,
                             .heads = of.heads,
                             .q_stride = of.heads * of.head_dim,
                             .max_length = longest,
                             .scale = 1 / std::sqrt(static_cast<float>(of.head_dim))};
    return {[&table, op, partial] { table.decode_attention(op, nullptr); }, {out}};
  };
  return one;
}

// in: q, k, v of packed sequences; every sequence by itself through ATen's attention.
at::Tensor packed_attention(const Heads& of, const std::vector<int64_t>& lengths,
                            const Tensors& in) {
  const std::vector<int64_t> cu = offsets(lengths);
  Tensors rows;
  for (size_t b = 0; b < lengths.size(); ++b) {
    const auto heads = [&](const at::Tensor& x, int64_t count) {  // (1, heads, T, D)
      return x.narrow(0, cu[b], lengths[b])
          .view({lengths[b], count, of.head_dim})
          .transpose(0, 1)
          .repeat_interleave(of.heads / count, 0)
          .unsqueeze(0);
    };
    rows.push_back(at::scaled_dot_product_attention(heads(in[0], of.heads),
                                                    heads(in[1], of.kv_heads),
                                                    heads(in[2], of.kv_heads), {}, 0.0, true)
                       .squeeze(0)
                       .transpose(0, 1)
                       .reshape({lengths[b], -1}));
  }
  return at::cat(rows);
}

KernelCase varlen_case(const char* kernel, const Heads& of, const std::vector<int64_t>& lengths,
                       at::ScalarType dtype) {
  const int64_t rows = offsets(lengths).back();
  double pairs = 0;
  for (const int64_t length : lengths) {
    pairs += static_cast<double>(length * (length + 1)) / 2;
  }
  KernelCase one{.kernel = kernel,
                 .shape = text_of(of, std::to_string(rows) + " tokens"),
                 .dtype = dtype,
                 .bound = Bound::arithmetic,
                 .growth = 8.0 * 1024 * 1025 / 2 / pairs,
                 .predicted_for = "8 x 1024 tokens"};
  one.inputs = {normal({rows, of.heads * of.head_dim}, dtype, 180),
                normal({rows, of.kv_heads * of.head_dim}, dtype, 181),
                normal({rows, of.kv_heads * of.head_dim}, dtype, 182), longs(offsets(lengths))};
  one.floor = 2 * bytes_of(one.inputs[0]) + bytes_of(one.inputs[1]) + bytes_of(one.inputs[2]) +
              static_cast<double>(rows * of.heads * 4);
  one.flops = 4 * pairs * static_cast<double>(of.heads * of.head_dim);
  return one;
}

VarlenInputs varlen_inputs(const Heads& of, const std::vector<int64_t>& lengths,
                           const Tensors& in) {
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  return {.q = in[0].data_ptr(),
          .k = in[1].data_ptr(),
          .v = in[2].data_ptr(),
          .cu_queries = in[3].data_ptr<int64_t>(),
          .cu_keys = in[3].data_ptr<int64_t>(),
          .rows = in[0].size(0),
          .sequences = static_cast<int64_t>(lengths.size()),
          .max_queries = longest,
          .max_keys = longest,
          .heads = of.heads,
          .kv_heads = of.kv_heads,
          .head_dim = of.head_dim,
          .q_stride = of.heads * of.head_dim,
          .k_stride = of.kv_heads * of.head_dim,
          .v_stride = of.kv_heads * of.head_dim,
          .scale = 1 / std::sqrt(static_cast<float>(of.head_dim)),
          .dtype = kernel_dtype_of(in[0])};
}

KernelCase varlen_forward(const Heads& of, const std::vector<int64_t>& lengths,
                          at::ScalarType dtype) {
  KernelCase one = varlen_case("varlen_forward", of, lengths, dtype);
  one.aten = [of, lengths](const Tensors& in) -> Tensors {
    return {packed_attention(of, lengths, in)};
  };
  one.prepare = [of, lengths](const KernelTable& table, const Tensors& in,
                              const Place& place) -> Prepared {
    const at::Tensor out = place.empty(in[0].sizes(), dtype_of(in)),
                     sums = place.empty({of.heads, in[0].size(0)}, at::kFloat);
    const VarlenForward op{.in = varlen_inputs(of, lengths, in),
                           .out = out.data_ptr(),
                           .log_sum_exp = sums.data_ptr<float>()};
    return {[&table, op, sums] { table.varlen_forward(op, nullptr); }, {out}};
  };
  return one;
}

// log of the sum of exponentials of each query's scores, (H, N), in f64 rounded to f32.
at::Tensor log_sums(const Heads& of, const std::vector<int64_t>& lengths, const Tensors& in) {
  const std::vector<int64_t> cu = offsets(lengths);
  Tensors columns;
  for (size_t b = 0; b < lengths.size(); ++b) {
    const auto heads = [&](const at::Tensor& x, int64_t count) {
      return x.narrow(0, cu[b], lengths[b])
          .to(at::kDouble)
          .view({lengths[b], count, of.head_dim})
          .transpose(0, 1)
          .repeat_interleave(of.heads / count, 0);
    };
    const at::Tensor scores =
        heads(in[0], of.heads).matmul(heads(in[1], of.kv_heads).transpose(1, 2)) /
        std::sqrt(static_cast<double>(of.head_dim));
    const at::Tensor hidden = at::ones({lengths[b], lengths[b]}, at::dtype(at::kBool)).triu(1);
    columns.push_back(scores.masked_fill(hidden, -INFINITY).logsumexp(-1));
  }
  return at::cat(columns, 1).to(at::kFloat).contiguous();
}

KernelCase varlen_backward(const Heads& of, const std::vector<int64_t>& lengths,
                           at::ScalarType dtype) {
  KernelCase one = varlen_case("varlen_backward", of, lengths, dtype);
  one.inputs.push_back(normal(one.inputs[0].sizes(), dtype, 183));
  one.inputs.push_back(packed_attention(of, lengths, one.inputs));
  one.inputs.push_back(log_sums(of, lengths, one.inputs));
  one.floor += 2 * bytes_of(one.inputs[0]) + bytes_of(one.inputs[1]) + bytes_of(one.inputs[2]);
  one.flops *= 2.5;
  one.aten = [of, lengths](const Tensors& in) {
    const auto f = [&](const Tensors& x) { return packed_attention(of, lengths, x); };
    return gradients(f, {in[0], in[1], in[2]}, in[4]);
  };
  one.prepare = [of, lengths](const KernelTable& table, const Tensors& in,
                              const Place& place) -> Prepared {
    const at::Tensor delta = place.empty({of.heads, in[0].size(0)}, at::kFloat);
    const Tensors grads{place.empty(in[0].sizes(), dtype_of(in)),
                        place.empty(in[1].sizes(), dtype_of(in)),
                        place.empty(in[2].sizes(), dtype_of(in))};
    const VarlenInputs inputs = varlen_inputs(of, lengths, in);
    const VarlenBackward op{.in = inputs,
                            .out = in[5].data_ptr(),
                            .grad_out = in[4].data_ptr(),
                            .log_sum_exp = in[6].data_ptr<float>(),
                            .delta = delta.data_ptr<float>(),
                            .grad_q = grads[0].data_ptr(),
                            .grad_k = grads[1].data_ptr(),
                            .grad_v = grads[2].data_ptr(),
                            .grad_q_stride = inputs.q_stride,
                            .grad_k_stride = inputs.k_stride,
                            .grad_v_stride = inputs.v_stride};
    return {[&table, op, delta] { table.varlen_backward(op, nullptr); }, grads};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> attention_cases(Size size) {
  const bool is_model = size == Size::model;
  const std::vector<int64_t> cached =
      is_model ? std::vector<int64_t>(64, 1024) : std::vector<int64_t>{512, 256};
  const std::vector<int64_t> packed =
      is_model ? std::vector<int64_t>(8, 1024) : std::vector<int64_t>{70, 33};
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (const Heads& of : kHeads) {
      cases.push_back(cache_write(of, is_model ? 8192 : 16, dtype));
      cases.push_back(decode(of, cached, dtype));
      cases.push_back(varlen_forward(of, packed, dtype));
      cases.push_back(varlen_backward(of, packed, dtype));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
