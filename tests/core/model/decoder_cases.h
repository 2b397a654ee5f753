// Decoders and adapters of the tests: small ones made in memory, and those of the oracle's
// fixtures.
#pragma once
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/file_tensors.h"
#include "tests/support/fixture.h"

namespace plumb::test {

// Every tensor of `weights` as `change` makes it; a tied head stays tied.
template <class Change>
DecoderWeights changed(const DecoderWeights& weights, const Change& change) {
  const auto of = [&](const at::Tensor& tensor) {
    return tensor.defined() ? change(tensor) : tensor;
  };
  const auto norm = [&](const NormWeights& w) { return NormWeights{of(w.weight), of(w.bias)}; };
  const auto product = [&](const ProductWeights& w) {
    return ProductWeights{of(w.weight), of(w.bias)};
  };
  DecoderWeights result;
  result.embed_tokens = of(weights.embed_tokens);
  result.embed_positions = of(weights.embed_positions);
  for (const LayerWeights& w : weights.layers) {
    result.layers.push_back({norm(w.attention_norm), product(w.qkv), norm(w.q_norm), norm(w.k_norm),
                             product(w.o), norm(w.after_attention_norm), norm(w.mlp_norm),
                             product(w.gate_up), product(w.down), norm(w.after_mlp_norm)});
  }
  result.final_norm = norm(weights.final_norm);
  result.encoder_norm = norm(weights.encoder_norm);
  result.encoder_relative_bias = of(weights.encoder_relative_bias);
  result.relative_bias = of(weights.relative_bias);
  const bool is_tied = weights.lm_head.is_same(weights.embed_tokens);
  result.lm_head = is_tied ? result.embed_tokens : of(weights.lm_head);
  return result;
}

inline void to_type(Decoder& decoder, at::ScalarType type) {
  decoder.weights =
      changed(decoder.weights, [&](const at::Tensor& x) { return x.detach().to(type); });
}

inline Decoder decoder_of(const Fixture& fixture, at::ScalarType type) {
  Decoder decoder;
  decoder.config = parse_model_config(fixture.json("config"), "fixture");
  decoder.weights = allocate_weights(decoder.config);
  for (const FileTensor& tensor : file_tensors(decoder.weights, decoder.config)) {
    tensor.assign(fixture.at("weight." + tensor.name));
  }
  to_type(decoder, type);
  return decoder;
}

inline void require_all_grads(const Decoder& decoder) {
  for (const NamedTensor& parameter : decoder.parameters()) {
    parameter.tensor.set_requires_grad(true);
  }
}

// The gradients that came back, under the names of the model's files.
inline std::vector<FileTensor> file_gradients(const Decoder& decoder) {
  return file_tensors(changed(decoder.weights, [](const at::Tensor& x) { return x.grad(); }),
                      decoder.config);
}

inline PackedBatch batch_of(const at::Tensor& tokens, const std::vector<int64_t>& lengths) {
  std::vector<std::vector<int32_t>> sequences;
  int64_t row = 0;
  for (const int64_t length : lengths) {
    std::vector<int32_t> sequence;
    for (int64_t t = 0; t < length; ++t) {
      sequence.push_back(static_cast<int32_t>(tokens[row++].item<int64_t>()));
    }
    sequences.push_back(sequence);
  }
  return pack(sequences);
}

inline ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 50;
  config.hidden_size = 24;
  config.intermediate_size = 20;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  set_head_dim(8, config);
  config.rotary_dim = 8;
  config.attention_scale = 1.0 / std::sqrt(8.0);
  config.max_position_embeddings = 128;
  config.norm_eps = 1e-5;
  config.initializer_range = 0.3;
  return config;
}

// An adapter on the linears named, with A and B drawn by `seed`, requiring gradients.
inline Adapter random_adapter(const ModelConfig& config, const std::vector<Linear>& linears,
                              int64_t rank, int seed, at::ScalarType type) {
  at::manual_seed(seed);
  Adapter adapter;
  adapter.scale = 0.7;
  adapter.layers.resize(config.num_hidden_layers);
  const auto draw = [&](int64_t rows, int64_t columns) {
    return at::randn({rows, columns}, at::kDouble).mul_(0.3).to(type).set_requires_grad(true);
  };
  const std::vector<LinearSite> sites = linear_sites(config);
  for (auto& layer : adapter.layers) {
    for (const LinearSite& site : sites) {
      if (std::find(linears.begin(), linears.end(), site.linear) == linears.end()) continue;
      layer[static_cast<int>(site.linear)] = {draw(rank, site.inputs), draw(site.outputs, rank)};
    }
  }
  return adapter;
}

// Whatever the family has of them.
inline std::vector<Linear> all_linears() {
  return {Linear::q,    Linear::k,  Linear::v,       Linear::qkv, Linear::o,
          Linear::gate, Linear::up, Linear::gate_up, Linear::down};
}

}  // namespace plumb::test
