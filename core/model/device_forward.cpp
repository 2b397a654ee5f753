#include "core/model/device_forward.h"

#include "core/error.h"
#include "core/io/position_limit.h"
#include "core/model/positions.h"
#include "core/ops/activation.h"
#include "core/ops/attention_bias.h"
#include "core/ops/embedding.h"
#include "core/ops/head_norm.h"

namespace plumb {
namespace {

void check_family(const ModelConfig& config, const at::Device& device) {
  const char* const what = config.is_encoder_decoder ? "text-to-text models"
                           : config.positions == Positions::relative
                               ? "models with relative position biases"
                           : rotates_by_length(config) ? "models with dynamic rope scaling"
                                                       : nullptr;
  if (what != nullptr) {
    throw Error(std::string(what) + " (" + config.model_type + ") generate on CPUs alone, not on " +
                    device.str() + "; use --device cpu",
                Exit::usage);
  }
}

NormWeights typed(const NormWeights& weights, at::ScalarType type) {
  const auto cast = [type](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.detach().to(type) : tensor;
  };
  return {cast(weights.weight), cast(weights.bias)};
}

// Heads [first, first + count) of rows of heads, (N, count, D).
at::Tensor heads_of(const at::Tensor& rows, int64_t first, int64_t count, int64_t dim) {
  return rows.narrow(1, first * dim, count * dim).unflatten(1, {count, dim});
}

}  // namespace

DeviceForward::DeviceForward(const Decoder& decoder, DeviceWeights& weights, const Adapter* adapter,
                             int64_t num_slots, int64_t capacity)
    : decoder_(decoder),
      options_(decoder.weights.embed_tokens.options().dtype(weights.type())),
      final_norm_(factors_of(decoder.weights.final_norm)),
      head_(&weights.get(decoder.weights.lm_head)) {
  const ModelConfig& config = decoder.config;
  check_family(config, options_.device());
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    add_layer(i, weights, adapter);
    layers_.back().cache = make_cache(num_slots, capacity);
  }
  if (config.positions == Positions::rope) {
    rotary_ = decoder.rotary->get(rotary_of(config), capacity, options_.device());
  } else if (config.positions == Positions::alibi) {
    key_bias_ = falcon_alibi(config.num_attention_heads, capacity, config.attention_scale)
                    .to(options_.device());
  }
}

void DeviceForward::add_layer(int64_t index, DeviceWeights& weights, const Adapter* adapter) {
  const ModelConfig& config = decoder_.config;
  const LayerWeights& w = decoder_.weights.layers[index];
  const std::vector<LinearSite> sites = linear_sites(config);
  const auto linear = [&](Product which) {
    return device_linear(weights, w.product(which), sites, which, adapter, index);
  };
  layers_.push_back({.attention_norm = factors_of(w.attention_norm),
                     .q_norm = factors_of(w.q_norm),
                     .k_norm = factors_of(w.k_norm),
                     .after_attention_norm = factors_of(w.after_attention_norm),
                     .mlp_norm = factors_of(w.mlp_norm),
                     .after_mlp_norm = factors_of(w.after_mlp_norm),
                     .qkv = linear(Product::qkv),
                     .o = linear(Product::o),
                     .gate_up = linear(Product::gate_up),
                     .down = linear(Product::down),
                     .cache = {},
                     .window = config.windows.empty() ? 0 : config.windows[index]});
}

DeviceCache DeviceForward::make_cache(int64_t num_slots, int64_t capacity) const {
  const ModelConfig& config = decoder_.config;
  const std::vector<int64_t> shape{num_slots, capacity, config.num_key_value_heads,
                                   config.head_dim};
  return {at::empty(shape, options_), at::empty(shape, options_),
          at::arange(num_slots, at::kInt).to(options_.device())};
}

NormWeights DeviceForward::factors_of(const NormWeights& weights) const {
  return typed(norm_factors(weights, decoder_.config.norm), options_.dtype().toScalarType());
}

at::Tensor DeviceForward::normed(const at::Tensor& x, const NormWeights& factors) const {
  return norm(x, factors, {decoder_.config.norm, decoder_.config.norm_eps});
}

at::Tensor DeviceForward::embed(const DeviceRows& rows) const {
  const ModelConfig& config = decoder_.config;
  const DecoderWeights& weights = decoder_.weights;
  at::Tensor x = embedding(weights.embed_tokens.detach(), rows.tokens);
  if (config.embedding_scale != 1.0) {
    x = x * static_cast<float>(config.embedding_scale);
  }
  if (weights.embed_positions.defined()) {
    x = x + embedding(weights.embed_positions.detach(), rows.positions);
  }
  return x.to(options_.dtype().toScalarType());
}

// q | k | v of the rows, k and v also in the cache.
at::Tensor DeviceForward::keys_written(Layer& layer, const at::Tensor& x, const DeviceRows& rows) {
  const ModelConfig& config = decoder_.config;
  const int64_t heads = config.num_attention_heads, kv_heads = config.num_key_value_heads;
  const int64_t dim = config.head_dim;
  const at::Tensor qkv = layer.qkv.apply(normed(x, layer.attention_norm));
  const at::Tensor q = heads_of(qkv, 0, heads, dim), k = heads_of(qkv, heads, kv_heads, dim);
  if (layer.q_norm.weight.defined()) {
    head_norm(q, layer.q_norm.weight, config.norm_eps, q);
    head_norm(k, layer.k_norm.weight, config.norm_eps, k);
  }
  if (rotary_.cos.defined()) {
    rotate_(heads_of(qkv, 0, heads + kv_heads, dim), rows.positions, rotary_);
  }
  device_write_cache(*kernels_for(qkv), layer.cache, k,
                     heads_of(qkv, heads + kv_heads, kv_heads, dim), {rows.slots, rows.positions});
  return qkv;
}

// (N, H D)
at::Tensor DeviceForward::attend(const Layer& layer, const at::Tensor& qkv,
                                 const DeviceRows& rows) const {
  const ModelConfig& config = decoder_.config;
  const DeviceQueries queries{.q = heads_of(qkv, 0, config.num_attention_heads, config.head_dim),
                              .slots = rows.slots,
                              .lengths = rows.lengths,
                              .scale = config.attention_scale,
                              .softcap = config.attention_softcap,
                              .window = layer.window,
                              .key_bias = key_bias_};
  return device_decode_attention(*kernels_for(qkv), layer.cache, queries).flatten(1);
}

at::Tensor DeviceForward::layer_output(Layer& layer, const at::Tensor& x, const DeviceRows& rows) {
  const ModelConfig& config = decoder_.config;
  const auto after = [&](const at::Tensor& y, const NormWeights& factors) {
    return factors.weight.defined() ? normed(y, factors) : y;
  };
  const at::Tensor qkv = keys_written(layer, x, rows);
  const at::Tensor attended =
      x + after(layer.o.apply(attend(layer, qkv, rows)), layer.after_attention_norm);
  const at::Tensor& source = config.block_order == BlockOrder::sequential ? attended : x;
  const NormWeights& factors =
      layer.mlp_norm.weight.defined() ? layer.mlp_norm : layer.attention_norm;
  const at::Tensor gate_up = layer.gate_up.apply(normed(source, factors));
  const at::Tensor h = activate(gate_up, {config.activation, config.is_gated});
  return attended + after(layer.down.apply(h), layer.after_mlp_norm);
}

at::Tensor DeviceForward::run(const DeviceRows& rows) {
  const ModelConfig& config = decoder_.config;
  at::Tensor x = embed(rows);
  for (Layer& layer : layers_) {
    x = layer_output(layer, x, rows);
  }
  x = normed(x, final_norm_);
  if (config.hidden_scale != 1.0) {
    x = x * config.hidden_scale;
  }
  const at::Tensor logits = product(x, *head_);
  const double cap = config.logits_softcap;
  return cap > 0 ? (logits / cap).tanh() * cap : logits;
}

void DeviceForward::fill(const DeviceRows& rows) {
  at::Tensor x = embed(rows);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    x = layer_output(layers_[i], x, rows);
  }
  keys_written(layers_.back(), x, rows);
}

void DeviceForward::copy(int64_t from_slot, int64_t to_slot, int64_t positions) {
  for (const Layer& layer : layers_) {
    for (const at::Tensor& all : {layer.cache.keys, layer.cache.values}) {
      all.select(0, to_slot)
          .narrow(0, 0, positions)
          .copy_(all.select(0, from_slot).narrow(0, 0, positions));
    }
  }
}

}  // namespace plumb
