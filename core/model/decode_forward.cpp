#include "core/model/decode_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/model/rotary_of.h"

namespace plumb {
namespace {

constexpr int64_t kRankAlign = 16;  // see decode_linear.h

float* data(const at::Tensor& tensor) {
  return tensor.mutable_data_ptr<float>();
}

DecodeNorm norm_of(const at::Tensor& weight, double eps) {
  return {weight.const_data_ptr<float>(), weight.size(0), static_cast<float>(eps)};
}

}  // namespace

DecodeForward::DecodeForward(const Decoder& decoder, const Adapter* adapter, int64_t max_rows)
    : decoder_(decoder), adapter_(adapter), max_rows_(max_rows) {
  const ModelConfig& config = decoder.config;
  int64_t rank = 0;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    add_layer(i);
  }
  for (std::size_t i = 0; i < padded_.size(); i += 2) {
    rank = std::max(rank, padded_[i].size(0));
  }
  const int64_t heads = config.num_attention_heads, kv_heads = config.num_key_value_heads;
  const auto rows_of = [max_rows](int64_t width) {
    return at::empty({max_rows, width}, at::TensorOptions().dtype(at::kFloat));
  };
  x_ = rows_of(config.hidden_size);
  normed_ = rows_of(config.hidden_size);
  qkv_ = rows_of((heads + 2 * kv_heads) * config.head_dim);
  attended_ = rows_of(heads * config.head_dim);
  gate_up_ = rows_of(2 * config.intermediate_size);
  act_ = rows_of(config.intermediate_size);
  low_rank_scratch_ = rows_of(rank);
}

DecodeLowRank DecodeForward::low_rank(int64_t layer, Linear linear) {
  if (adapter_ == nullptr || !adapter_->at(layer, linear).defined()) {
    return {};
  }
  const LowRank& pair = adapter_->at(layer, linear);
  const int64_t rank = pair.a.size(0);
  const int64_t missing = (kRankAlign - rank % kRankAlign) % kRankAlign;
  const at::Tensor a = at::constant_pad_nd(pair.a.detach(), {0, 0, 0, missing}).contiguous();
  const at::Tensor b = at::constant_pad_nd(pair.b.detach(), {0, missing}).contiguous();
  padded_.push_back(a);
  padded_.push_back(b);
  return {.a = a.const_data_ptr<float>(),
          .b = b.const_data_ptr<float>(),
          .rank = rank + missing,
          .scale = static_cast<float>(adapter_->scale)};
}

FusedLinear DecodeForward::fused(const at::Tensor& weight, const at::Tensor& bias, int64_t layer,
                                 std::span<const Linear> linears, std::span<const int64_t> sizes) {
  FusedLinear joint{{}, weight.size(1), weight.size(0)};
  const float* rows = weight.const_data_ptr<float>();
  const float* biases = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  bool adapted = false;
  int64_t column = 0;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const DecodeWeight part{rows + column * joint.in_features,
                            biases == nullptr ? nullptr : biases + column, sizes[i],
                            joint.in_features};
    joint.parts.push_back({part, low_rank(layer, linears[i]), column});
    adapted = adapted || joint.parts.back().low_rank.a != nullptr;
    column += sizes[i];
  }
  if (!adapted) {
    joint.parts = {{{rows, biases, joint.out_features, joint.in_features}, {}, 0}};
  }
  return joint;
}

void DecodeForward::add_layer(int64_t index) {
  const LayerWeights& w = decoder_.weights.layers[index];
  const ModelConfig& config = decoder_.config;
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  const int64_t f = config.intermediate_size, c = config.hidden_size;
  using L = Linear;
  layers_.push_back(
      {.input_norm = norm_of(w.input_norm, config.rms_norm_eps),
       .post_norm = norm_of(w.post_norm, config.rms_norm_eps),
       .qkv = fused(w.qkv, w.qkv_bias, index, std::array{L::q, L::k, L::v}, std::array{q, kv, kv}),
       .o = fused(w.o, {}, index, std::array{L::o}, std::array{c}),
       .gate_up = fused(w.gate_up, {}, index, std::array{L::gate, L::up}, std::array{f, f}),
       .down = fused(w.down, {}, index, std::array{L::down}, std::array{c})});
}

void DecodeForward::apply(const FusedLinear& linear, const float* x, float* y,
                          const float* residual) const {
  for (const FusedLinear::Part& part : linear.parts) {
    DecodeLowRank low_rank = part.low_rank;
    low_rank.scratch = data(low_rank_scratch_);
    decode_linear(x, num_rows_, part.weight, low_rank,
                  {.y = y + part.column,
                   .y_stride = linear.out_features,
                   .residual = residual == nullptr ? nullptr : residual + part.column});
  }
}

void DecodeForward::embed(std::span<const int32_t> tokens, std::span<const DecodeRow> rows) {
  const int64_t width = decoder_.config.hidden_size;
  const float* table = decoder_.weights.embed_tokens.const_data_ptr<float>();
  int64_t positions = 0;
  for (std::size_t n = 0; n < tokens.size(); ++n) {
    std::memcpy(data(x_) + n * width, table + tokens[n] * width, sizeof(float) * width);
    positions = std::max(positions, rows[n].position + 1);
  }
  num_rows_ = static_cast<int64_t>(tokens.size());
  if (!rotary_.cos.defined() || rotary_.cos.size(0) < positions) {
    rotary_ = decoder_.rotary->get(rotary_of(decoder_.config), positions);
  }
}

void DecodeForward::attention(int64_t layer, std::span<const DecodeRow> rows,
                              const DecodeCache& cache, Attention how_far) {
  const Layer& l = layers_[layer];
  const int64_t dim = cache.head_dim, kv_heads = cache.num_kv_heads;
  const int64_t heads = decoder_.config.num_attention_heads, stride = qkv_.size(1);
  float* qkv = data(qkv_);
  decode_rms_norm(data(x_), num_rows_, l.input_norm, data(normed_));
  apply(l.qkv, data(normed_), qkv, nullptr);
  // Queries and keys lie side by side: one rotation.
  decode_rotate(qkv, stride, heads + kv_heads, rows,
                {rotary_.cos.const_data_ptr<float>(), rotary_.sin.const_data_ptr<float>(), dim});
  append_to_cache(cache, rows, qkv + heads * dim, qkv + (heads + kv_heads) * dim, stride);
  if (how_far == Attention::skip) {
    return;
  }
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  decode_attention(cache, rows, {qkv, stride, heads, scale}, data(attended_));
  apply(l.o, data(attended_), data(x_), data(x_));
}

void DecodeForward::mlp(int64_t layer) {
  const Layer& l = layers_[layer];
  decode_rms_norm(data(x_), num_rows_, l.post_norm, data(normed_));
  apply(l.gate_up, data(normed_), data(gate_up_), nullptr);
  decode_swiglu(data(gate_up_), num_rows_, act_.size(1), data(act_));
  apply(l.down, data(act_), data(x_), data(x_));
}

void DecodeForward::run(std::span<const int32_t> tokens, std::span<const DecodeRow> rows,
                        KvCache& cache) {
  embed(tokens, rows);
  for (int64_t i = 0; i < std::ssize(layers_); ++i) {
    attention(i, rows, cache.layer(i), Attention::compute);
    mlp(i);
  }
}

void DecodeForward::fill(std::span<const int32_t> tokens, std::span<const DecodeRow> rows,
                         KvCache& cache) {
  embed(tokens, rows);
  const int64_t last = std::ssize(layers_) - 1;
  for (int64_t i = 0; i < last; ++i) {
    attention(i, rows, cache.layer(i), Attention::compute);
    mlp(i);
  }
  attention(last, rows, cache.layer(last), Attention::skip);
}

std::span<const float> DecodeForward::logits() {
  const ModelConfig& config = decoder_.config;
  if (!logits_.defined() || logits_.size(0) < num_rows_) {
    logits_ = at::empty({num_rows_, config.vocab_size}, x_.options());
  }
  decode_rms_norm(data(x_), num_rows_, norm_of(decoder_.weights.final_norm, config.rms_norm_eps),
                  data(normed_));
  decode_linear(data(normed_), num_rows_,
                {decoder_.weights.lm_head.const_data_ptr<float>(), nullptr, config.vocab_size,
                 config.hidden_size},
                {}, {.y = data(logits_), .y_stride = config.vocab_size});
  return {data(logits_), static_cast<std::size_t>(num_rows_ * config.vocab_size)};
}

}  // namespace plumb
