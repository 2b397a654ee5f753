#include "core/model/place.h"

namespace plumb {
namespace {

void move(at::Tensor& tensor, const at::Device& device) {
  if (tensor.defined()) {
    tensor = tensor.to(device);
  }
}

// Of a norm or a product.
template <class Weights>
void move_both(Weights& weights, const at::Device& device) {
  move(weights.weight, device);
  move(weights.bias, device);
}

}  // namespace

void move_to(Decoder& decoder, const at::Device& device) {
  const at::NoGradGuard no_grad;
  DecoderWeights& weights = decoder.weights;
  const bool is_tied = weights.lm_head.is_same(weights.embed_tokens);
  move(weights.embed_tokens, device);
  move(weights.embed_positions, device);
  for (LayerWeights& layer : weights.layers) {
    for (NormWeights* norm :
         {&layer.attention_norm, &layer.q_norm, &layer.k_norm, &layer.after_attention_norm,
          &layer.mlp_norm, &layer.after_mlp_norm}) {
      move_both(*norm, device);
    }
    for (ProductWeights* product : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down}) {
      move_both(*product, device);
    }
  }
  move_both(weights.final_norm, device);
  move_both(weights.encoder_norm, device);
  move(weights.encoder_relative_bias, device);
  move(weights.relative_bias, device);
  if (is_tied) {
    weights.lm_head = weights.embed_tokens;
  } else {
    move(weights.lm_head, device);
  }
}

void move_to(Adapter& adapter, const at::Device& device) {
  const at::NoGradGuard no_grad;
  for (auto& layer : adapter.layers) {
    for (LowRank& pair : layer) {
      move(pair.a, device);
      move(pair.b, device);
    }
  }
}

}  // namespace plumb
