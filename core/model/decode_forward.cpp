#include "core/model/decode_forward.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/io/position_limit.h"
#include "core/model/block_norm.h"
#include "core/model/cross_attention_block.h"
#include "core/model/positions.h"
#include "core/ops/attention_bias.h"

namespace plumb {
namespace {

float* data(const at::Tensor& tensor) {
  return tensor.mutable_data_ptr<float>();
}

}  // namespace

void DecodeStep::add(int32_t token, const DecodeRow& row, int64_t length) {
  tokens.push_back(token);
  rows.push_back(row);
  lengths.push_back(length);
}

void DecodeStep::clear() {
  tokens.clear();
  rows.clear();
  lengths.clear();
}

DecodeForward::DecodeForward(const Decoder& decoder, DecodeWeights& weights, const Adapter* adapter,
                             int64_t max_rows, int64_t num_slots)
    : decoder_(decoder),
      linears_(weights, adapter),
      head_(weights.get(decoder.weights.lm_head, {})) {
  const std::vector<LinearSite> sites = linear_sites(decoder.config);
  for (int64_t i = 0; i < decoder.config.num_hidden_layers; ++i) {
    add_layer(i, sites);
  }
  if (decoder.config.is_encoder_decoder) {
    const LayerStack cross = layer_stacks(decoder.config).back();
    for (int64_t i = 0; i < decoder.config.num_hidden_layers; ++i) {
      add_cross_attention(i, cross);
    }
    sources_.emplace(decoder, adapter, num_slots);
  }
  final_norm_ = norm_of(decoder.weights.final_norm);
  linears_.reserve(max_rows);
  allocate(max_rows);
}

void DecodeForward::allocate(int64_t max_rows) {
  const ModelConfig& config = decoder_.config;
  const int64_t heads = config.num_attention_heads, kv_heads = config.num_key_value_heads;
  const auto rows_of = [max_rows](int64_t width) {
    return at::empty({max_rows, width}, at::TensorOptions().dtype(at::kFloat));
  };
  x_ = rows_of(config.hidden_size);
  normed_ = rows_of(config.hidden_size);
  qkv_ = rows_of((heads + 2 * kv_heads) * config.head_dim);
  attended_ = rows_of(heads * config.head_dim);
  gate_up_ = rows_of((config.is_gated ? 2 : 1) * config.intermediate_size);
  act_ = rows_of(config.intermediate_size);
  added_ = rows_of(config.has_post_norms ? config.hidden_size : 0);
}

DecodeNorm DecodeForward::norm_of(const NormWeights& weights) {
  if (!weights.weight.defined()) {
    return {};
  }
  const NormWeights factors = norm_factors(weights, decoder_.config.norm);
  norms_.push_back(factors.weight);
  return {.weight = factors.weight.const_data_ptr<float>(),
          .bias = factors.bias.defined() ? factors.bias.const_data_ptr<float>() : nullptr,
          .width = factors.weight.size(0),
          .eps = static_cast<float>(decoder_.config.norm_eps)};
}

void DecodeForward::add_layer(int64_t index, const std::vector<LinearSite>& sites) {
  const LayerWeights& w = decoder_.weights.layers[index];
  const auto product = [&](Product which) {
    return linears_.product(w.product(which), index, sites, which);
  };
  layers_.push_back({.attention_norm = norm_of(w.attention_norm),
                     .q_norm = norm_of(w.q_norm),
                     .k_norm = norm_of(w.k_norm),
                     .after_attention_norm = norm_of(w.after_attention_norm),
                     .mlp_norm = norm_of(w.mlp_norm),
                     .after_mlp_norm = norm_of(w.after_mlp_norm),
                     .qkv = product(Product::qkv),
                     .o = product(Product::o),
                     .gate_up = product(Product::gate_up),
                     .down = product(Product::down)});
}

void DecodeForward::add_cross_attention(int64_t index, const LayerStack& stack) {
  const int64_t layer = stack.first + index;
  const LayerWeights& weights = decoder_.weights.layers[layer];
  const CrossWeights cross = cross_weights(weights, decoder_.config);
  const std::vector<LinearSite> sites = cross_query_sites(decoder_.config);
  Layer& l = layers_[index];
  l.cross_norm = norm_of(weights.attention_norm);
  l.cross_q = linears_.product(cross.query, layer, sites, Product::qkv);
  l.cross_o = linears_.product(cross.o, layer, sites, Product::o);
}

void DecodeForward::read_source(std::span<const int32_t> tokens, int64_t slot) {
  sources_->read(tokens, slot);
}

void DecodeForward::embed(const DecodeStep& step) {
  const ModelConfig& config = decoder_.config;
  const int64_t width = config.hidden_size;
  const float* tokens = decoder_.weights.embed_tokens.const_data_ptr<float>();
  const at::Tensor& learned = decoder_.weights.embed_positions;
  num_rows_ = step.size();
  for (int64_t n = 0; n < num_rows_; ++n) {
    float* x = data(x_) + n * width;
    std::memcpy(x, tokens + step.tokens[n] * width, sizeof(float) * width);
    if (config.embedding_scale != 1.0) {
      decode_scale(x, static_cast<float>(config.embedding_scale), width);
    }
    if (learned.defined()) {
      decode_add(x, learned.const_data_ptr<float>() + step.rows[n].position * width, width);
    }
  }
}

// What the rows' positions need: rotary tables, ALiBi's biases.
void DecodeForward::place(const DecodeStep& step) {
  const ModelConfig& config = decoder_.config;
  rotary_rows_.clear();
  int64_t positions = 0;
  for (const DecodeRow& row : step.rows) {
    positions = std::max(positions, row.position + 1);
    rotary_rows_.push_back(row.position);
  }
  if (rotates_by_length(config)) {
    rotary_ = rotary_table_of_rows(rotary_of(config), rotary_rows_, step.lengths);
    std::iota(rotary_rows_.begin(), rotary_rows_.end(), 0);
  } else if (config.positions == Positions::rope &&
             (!rotary_.cos.defined() || rotary_.cos.size(0) < positions)) {
    rotary_ = decoder_.rotary->get(rotary_of(config), positions);
  } else if (config.positions == Positions::alibi &&
             (!key_bias_.defined() || key_bias_.size(1) < positions)) {
    key_bias_ = falcon_alibi(config.num_attention_heads, 2 * positions, config.attention_scale);
  } else if (config.positions == Positions::relative &&
             (!relative_.defined() || relative_.size(1) < positions)) {
    const RelativeBias bias{decoder_.weights.relative_bias, config.relative_max_distance,
                            /*is_bidirectional=*/false};
    relative_ = relative_bias_by_offset(bias, 2 * positions - 1, 0).contiguous();
  }
}

// Head norms and rope. Queries and keys lie side by side: one rotation.
void DecodeForward::turn(float* qkv) {
  const ModelConfig& config = decoder_.config;
  if (rotary_.cos.defined()) {
    decode_rotate(qkv, qkv_.size(1), config.num_attention_heads + config.num_key_value_heads,
                  rotary_rows_,
                  {.cos = rotary_.cos.const_data_ptr<float>(),
                   .sin = rotary_.sin.const_data_ptr<float>(),
                   .half = rotary_.cos.size(1),
                   .head_dim = config.head_dim});
  }
}

void DecodeForward::norm(const DecodeNorm& norm) {
  decode_norm(data(x_), num_rows_, norm, data(normed_));
}

// x += after(product(input)); without a norm after it the product adds to x itself.
void DecodeForward::add_to_residual(const DecodeProduct& product, const float* input,
                                    const DecodeNorm& after) {
  if (after.weight == nullptr) {
    linears_.apply(product, input, num_rows_, data(x_), data(x_));
    return;
  }
  linears_.apply(product, input, num_rows_, data(added_), nullptr);
  decode_norm(data(added_), num_rows_, after, data(added_));
  decode_add(data(x_), data(added_), num_rows_ * x_.size(1));
}

void DecodeForward::attention(int64_t layer, const DecodeStep& step, const DecodeCache& cache,
                              Attention how_far) {
  const Layer& l = layers_[layer];
  const int64_t dim = cache.head_dim, kv_heads = cache.num_kv_heads;
  const int64_t heads = decoder_.config.num_attention_heads, stride = qkv_.size(1);
  float* qkv = data(qkv_);
  norm(l.attention_norm);
  linears_.apply(l.qkv, data(normed_), num_rows_, qkv, nullptr);
  if (l.q_norm.weight != nullptr) {
    decode_head_norm(qkv, stride, heads, num_rows_, l.q_norm);
    decode_head_norm(qkv + heads * dim, stride, kv_heads, num_rows_, l.k_norm);
  }
  turn(qkv);
  append_to_cache(cache, step.rows, qkv + heads * dim, qkv + (heads + kv_heads) * dim, stride);
  if (how_far == Attention::compute) {
    attend(layer, step, cache);
  }
}

void DecodeForward::attend(int64_t layer, const DecodeStep& step, const DecodeCache& cache) {
  const ModelConfig& config = decoder_.config;
  const Layer& l = layers_[layer];
  const DecodeQueries queries{
      .q = data(qkv_),
      .stride = qkv_.size(1),
      .num_heads = config.num_attention_heads,
      .scale = static_cast<float>(config.attention_scale),
      .window = config.windows.empty() ? 0 : config.windows[layer],
      .softcap = static_cast<float>(config.attention_softcap),
      .key_bias =
          key_bias_.defined() ? DecodeBias{data(key_bias_), key_bias_.size(1)} : DecodeBias{},
      .relative = relative_.defined()
                      ? DecodeBias{data(relative_) + relative_.size(1) - 1, relative_.size(1)}
                      : DecodeBias{}};
  decode_attention(cache, step.rows, queries, data(attended_));
  if (config.block_order == BlockOrder::parallel) {
    norm(l.mlp_norm);  // of x before attention's output is added
  }
  add_to_residual(l.o, data(attended_), l.after_attention_norm);
}

// The one kernel again: a row's position among the source's keys is the last.
void DecodeForward::cross_attention(int64_t layer, const DecodeStep& step) {
  const ModelConfig& config = decoder_.config;
  const Layer& l = layers_[layer];
  norm(l.cross_norm);
  linears_.apply(l.cross_q, data(normed_), num_rows_, data(qkv_), nullptr);
  const DecodeQueries queries{.q = data(qkv_),
                              .stride = l.cross_q.out_features,
                              .num_heads = config.num_attention_heads,
                              .scale = static_cast<float>(config.attention_scale),
                              .softcap = static_cast<float>(config.attention_softcap),
                              .key_bias = {},
                              .relative = {}};
  decode_attention(sources_->layer(layer), sources_->last_keys(step.rows), queries,
                   data(attended_));
  add_to_residual(l.cross_o, data(attended_), {});
}

void DecodeForward::mlp(int64_t layer) {
  const ModelConfig& config = decoder_.config;
  const Layer& l = layers_[layer];
  if (config.block_order == BlockOrder::sequential) {
    norm(l.mlp_norm);
  }
  linears_.apply(l.gate_up, data(normed_), num_rows_, data(gate_up_), nullptr);
  decode_activate(data(gate_up_), num_rows_, act_.size(1), {config.activation, config.is_gated},
                  data(act_));
  add_to_residual(l.down, data(act_), l.after_mlp_norm);
}

void DecodeForward::run(const DecodeStep& step, KvCache& cache) {
  embed(step);
  place(step);
  for (int64_t i = 0; i < std::ssize(layers_); ++i) {
    attention(i, step, cache.layer(i), Attention::compute);
    if (sources_) {
      cross_attention(i, step);
    }
    mlp(i);
  }
}

void DecodeForward::fill(const DecodeStep& step, KvCache& cache) {
  embed(step);
  place(step);
  const int64_t last = std::ssize(layers_) - 1;
  for (int64_t i = 0; i < last; ++i) {
    attention(i, step, cache.layer(i), Attention::compute);
    mlp(i);
  }
  attention(last, step, cache.layer(last), Attention::skip);
}

std::span<const float> DecodeForward::logits() {
  const ModelConfig& config = decoder_.config;
  const int64_t vocab = config.vocab_size;
  if (!logits_.defined() || logits_.size(0) < num_rows_) {
    logits_ = at::empty({num_rows_, vocab}, x_.options());
  }
  norm(final_norm_);
  if (config.hidden_scale != 1.0) {
    decode_scale(data(normed_), static_cast<float>(config.hidden_scale),
                 num_rows_ * config.hidden_size);
  }
  decode_linear(data(normed_), num_rows_, head_, {}, {.y = data(logits_), .y_stride = vocab});
  if (config.logits_softcap > 0) {
    decode_softcap(data(logits_), num_rows_, vocab, static_cast<float>(config.logits_softcap));
  }
  return {data(logits_), static_cast<std::size_t>(num_rows_ * vocab)};
}

}  // namespace plumb
