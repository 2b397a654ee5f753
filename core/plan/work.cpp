#include "core/plan/work.h"

#include <algorithm>

namespace plumb::plan {
namespace {

// Rows that a stack reads. A cross-attention's k and v, few among the products, count as its q.
double rows_of(const Pass& pass, const LayerStack& stack) {
  if (!pass.config->is_encoder_decoder) return pass.rows;
  return stack.stack == Stack::encoder ? pass.source_rows : pass.rows - pass.source_rows;
}

void add_base(const Pass& pass, const LayerStack& stack, const ProductShape& product,
              std::vector<Gemm>& all) {
  const double rows = rows_of(pass, stack), count = static_cast<double>(stack.count);
  const double O = static_cast<double>(product.outputs), I = static_cast<double>(product.inputs);
  all.push_back({rows, O, I, count});
  if (pass.has_backward) all.push_back({rows, I, O, count});
  if (pass.trains_base) all.push_back({O, I, rows, count});
}

// As core/ops/low_rank_linear.cpp: x A^T, its product with B, and on the way back the gradients of
// the narrow rows, of B, of x and of A.
void add_adapter(const Pass& pass, const RowGroup& group, std::vector<Gemm>& all) {
  const double R = static_cast<double>(group.adapter.rank);
  for (const LayerStack& stack : group.adapter.stacks) {
    const double share = rows_of(pass, stack) / std::max(1.0, pass.rows);
    const double rows = group.rows * share, count = static_cast<double>(stack.count);
    for (const LinearSite& site : stack.sites) {
      const double O = static_cast<double>(site.outputs), I = static_cast<double>(site.inputs);
      all.push_back({rows, R, I, count});
      all.push_back({rows, O, R, count});
      if (!pass.has_backward) continue;
      all.push_back({rows, R, O, count});
      all.push_back({rows, I, R, count});
      if (!group.is_trained) continue;
      all.push_back({O, R, rows, count});
      all.push_back({R, I, rows, count});
    }
  }
}

// Queries times keys that they see, of one layer.
double pairs_of(const Pass& pass, const LayerStack& stack) {
  if (!pass.config->is_encoder_decoder) return pass.rows * pass.length / 2;
  const double source = pass.source_rows / std::max(1.0, pass.rows) * pass.length;
  const double target = pass.length - source;
  switch (stack.stack) {
    case Stack::encoder:
      return pass.source_rows * source;
    case Stack::cross:
      return (pass.rows - pass.source_rows) * source;
    case Stack::decoder:
      break;
  }
  return (pass.rows - pass.source_rows) * target / 2;
}

}  // namespace

std::vector<Gemm> layer_gemms(const Pass& pass) {
  std::vector<Gemm> all;
  for (const LayerStack& stack : layer_stacks(*pass.config)) {
    for (const ProductShape& product : products_of(stack)) add_base(pass, stack, product, all);
  }
  for (const RowGroup& group : pass.groups) add_adapter(pass, group, all);
  return all;
}

std::vector<Gemm> head_gemms(const Pass& pass) {
  if (pass.head_rows <= 0) return {};
  const double C = static_cast<double>(pass.config->hidden_size);
  const double V = static_cast<double>(pass.config->vocab_size);
  std::vector<Gemm> all = {{pass.head_rows, V, C, 1}};
  if (pass.has_backward) all.push_back({pass.head_rows, C, V, 1});
  if (pass.trains_base) all.push_back({V, C, pass.head_rows, 1});
  return all;
}

double attention_flops(const Pass& pass) {
  const ModelConfig& config = *pass.config;
  const double width = static_cast<double>(config.num_attention_heads * config.head_dim);
  double flops = 0;
  for (const LayerStack& stack : layer_stacks(config)) {
    const double products = pass.has_backward ? 7 : 2;
    flops += 2 * products * pairs_of(pass, stack) * width * static_cast<double>(stack.count);
  }
  return flops;
}

// Per row and layer, forward: two norms read and write C, the residual is read and written twice,
// rope turns q and k, the activation reads gate and up and writes h. Backward about twice that: the
// norms are formed again, their gradients read three rows and write one.
double streamed_values(const Pass& pass) {
  const ModelConfig& config = *pass.config;
  const double C = static_cast<double>(config.hidden_size);
  const double F = static_cast<double>(config.intermediate_size) * (config.is_gated ? 3 : 2);
  const double qk = static_cast<double>((config.num_attention_heads + config.num_key_value_heads) *
                                        config.head_dim);
  const double layers = static_cast<double>(config.num_hidden_layers);
  const double forward = pass.rows * (8 * C + 2 * qk + F) * layers +
                         pass.head_rows * static_cast<double>(config.vocab_size);
  return pass.has_backward ? 3 * forward : forward;
}

std::vector<Gemm> decode_gemms(const Decode& decode) {
  Pass pass;
  pass.config = decode.config;
  pass.rows = decode.rows;
  pass.head_rows = decode.is_prompt ? 0 : decode.rows;
  pass.groups = {{decode.rows, decode.adapter, false}};
  std::vector<Gemm> all = layer_gemms(pass);
  for (const Gemm& gemm : head_gemms(pass)) all.push_back(gemm);
  return all;
}

double cache_values(const Decode& decode) {
  const ModelConfig& config = *decode.config;
  return decode.rows * decode.context * 2 *
         static_cast<double>(config.num_key_value_heads * config.head_dim *
                             config.num_hidden_layers);
}

double total_flops(const std::vector<Gemm>& gemms) {
  double flops = 0;
  for (const Gemm& gemm : gemms) flops += gemm.flops();
  return flops;
}

}  // namespace plumb::plan
