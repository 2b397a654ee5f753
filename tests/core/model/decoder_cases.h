// Decoders and adapters of the tests: small ones made in memory, and those of the oracle's
// fixtures.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/file_tensors.h"
#include "tests/support/fixture.h"

namespace plumb::test {

inline void to_type(at::Tensor& tensor, at::ScalarType type) {
  if (tensor.defined()) {
    tensor = tensor.detach().to(type);
  }
}

// The same weights in another type; ties stay ties.
inline void to_type(Decoder& decoder, at::ScalarType type) {
  DecoderWeights& weights = decoder.weights;
  const bool tied = weights.lm_head.is_same(weights.embed_tokens);
  to_type(weights.embed_tokens, type);
  for (LayerWeights& layer : weights.layers) {
    for (at::Tensor* tensor : {&layer.input_norm, &layer.qkv, &layer.qkv_bias, &layer.o,
                               &layer.post_norm, &layer.gate_up, &layer.down}) {
      to_type(*tensor, type);
    }
  }
  to_type(weights.final_norm, type);
  if (tied) {
    weights.lm_head = weights.embed_tokens;
  } else {
    to_type(weights.lm_head, type);
  }
}

inline Decoder decoder_of(const Fixture& fixture, at::ScalarType type) {
  Decoder decoder;
  decoder.config = parse_model_config(fixture.json("config"), "fixture");
  decoder.weights = allocate_weights(decoder.config);
  for (const FileTensor& tensor : file_tensors(decoder.weights, decoder.config)) {
    tensor.view.copy_(fixture.at("weight." + tensor.name));
  }
  to_type(decoder, type);
  return decoder;
}

inline void require_all_grads(const Decoder& decoder) {
  for (const NamedTensor& parameter : decoder.parameters()) {
    parameter.tensor.set_requires_grad(true);
  }
}

// A model whose gradients came back, under the names of its files.
inline std::vector<FileTensor> file_gradients(const Decoder& decoder) {
  DecoderWeights grads;
  const DecoderWeights& weights = decoder.weights;
  const auto grad = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.grad() : at::Tensor();
  };
  grads.embed_tokens = grad(weights.embed_tokens);
  for (const LayerWeights& layer : weights.layers) {
    grads.layers.push_back({grad(layer.input_norm), grad(layer.qkv), grad(layer.qkv_bias),
                            grad(layer.o), grad(layer.post_norm), grad(layer.gate_up),
                            grad(layer.down)});
  }
  grads.final_norm = grad(weights.final_norm);
  grads.lm_head =
      weights.lm_head.is_same(weights.embed_tokens) ? grads.embed_tokens : grad(weights.lm_head);
  return file_tensors(grads, decoder.config);
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
  config.head_dim = 8;
  config.max_position_embeddings = 128;
  config.rms_norm_eps = 1e-5;
  config.initializer_range = 0.3;
  return config;
}

// An adapter on the linears named, with A and B drawn by `seed`, requiring gradients.
inline Adapter random_adapter(const ModelConfig& config, const std::vector<Linear>& linears,
                              int64_t rank, int seed, at::ScalarType type) {
  at::manual_seed(seed);
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  const int64_t inputs[] = {width, width, width, q, width, width, inner};
  const int64_t outputs[] = {q, kv, kv, width, inner, inner, width};
  Adapter adapter;
  adapter.scale = 0.7;
  adapter.layers.resize(config.num_hidden_layers);
  const auto draw = [&](int64_t rows, int64_t columns) {
    return at::randn({rows, columns}, at::kDouble).mul_(0.3).to(type).set_requires_grad(true);
  };
  for (auto& layer : adapter.layers) {
    for (const Linear linear : linears) {
      const int l = static_cast<int>(linear);
      layer[l] = {draw(rank, inputs[l]), draw(outputs[l], rank)};
    }
  }
  return adapter;
}

inline std::vector<Linear> all_linears() {
  return {Linear::q, Linear::k, Linear::v, Linear::o, Linear::gate, Linear::up, Linear::down};
}

}  // namespace plumb::test
