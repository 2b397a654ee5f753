// The one decoder of all families: embedding, L x (attention block, MLP block), final norm, head;
// in text-to-text models an encoder of the same blocks before it and cross-attentions between them.
// A block is one autograd function (DESIGN.md 2; core/model/attention_block.h, mlp_block.h).
#pragma once
#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/io/model_config.h"
#include "core/model/adapter.h"
#include "core/model/packed_batch.h"
#include "core/ops/rope.h"
#include "core/ops/token_loss.h"

namespace plumb {

// A norm's weight and, in LayerNorm, its bias: (C), or (D) of q and k. Undefined: no such norm.
struct NormWeights {
  at::Tensor weight;
  at::Tensor bias;
};

// One of a layer's four products, f32, its linears one under another (core/io/linear_sites.h).
struct ProductWeights {
  at::Tensor weight;  // (O, I)
  at::Tensor bias;    // (O) or undefined
};

// q, k, v and gate, up lie in one tensor each, so that x is read once; files keep the family's
// names and layout.
struct LayerWeights {
  NormWeights attention_norm;        // before attention
  ProductWeights qkv;                // ((H + 2 K) D, C): q, k, v
  NormWeights q_norm, k_norm;        // (D), Qwen 3
  ProductWeights o;                  // (C, H D)
  NormWeights after_attention_norm;  // Gemma 2
  NormWeights mlp_norm;              // before the MLP; undefined where attention's serves both
  ProductWeights gate_up;            // (2 F, C), gate first; (F, C) where the MLP is not gated
  ProductWeights down;               // (C, F)
  NormWeights after_mlp_norm;        // Gemma 2

  const ProductWeights& product(Product which) const;
};

struct DecoderWeights {
  at::Tensor embed_tokens;     // (V, C)
  at::Tensor embed_positions;  // (max_position_embeddings, C) of learned positions, else undefined
  // Of all stacks (layer_stacks in core/io/linear_sites.h). A cross-attention has norm, qkv and o
  // alone; its qkv's first H D rows read the decoder, the others the encoder.
  std::vector<LayerWeights> layers;
  NormWeights final_norm;
  NormWeights encoder_norm;          // the encoder's last; of text-to-text models, else undefined
  at::Tensor encoder_relative_bias;  // (buckets, H), of all layers of the encoder
  at::Tensor relative_bias;          // the same of the decoder
  at::Tensor lm_head;                // (V, C); the same tensor as embed_tokens when tied
};

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// How one forward pass is to be done.
struct ForwardOptions {
  std::vector<AdapterRows> adapters;  // must not overlap; rows not named use the base alone
  std::optional<DropoutKey> dropout;  // set in training steps of adapters with dropout > 0
};

struct Decoder {
  ModelConfig config;
  DecoderWeights weights;
  std::shared_ptr<RotaryCache> rotary = std::make_shared<RotaryCache>();  // of this config's rope
  GenerationConfig generation;  // of the folder it came from; saved with it

  // batch -> (N, C) f32: hidden states after the final norm, ready for a head: row t is what
  // predicts token t + 1 of its sequence. A text-to-text model's encoder reads the batch's sources;
  // the row of a source's last token is its decoder's first, and rows before that are zero.
  // Differentiable in the adapters' tensors and in weights that require a gradient.
  at::Tensor hidden(const PackedBatch& batch, const ForwardOptions& options = {}) const;

  // What the losses of core/ops/token_loss.h need of the head.
  LmHead head() const;

  // (M, C) -> (M, V): whole logits, for inspection and tests; losses use core/ops/token_loss.h.
  at::Tensor logits(const at::Tensor& hidden) const;

  // Every weight once (a tied head is not listed again), named as in this struct:
  // "layers.3.qkv.weight".
  std::vector<NamedTensor> parameters() const;
};

// Reads a Hugging Face folder straight into the final tensors (f32 in memory; f64, f32, bf16, f16
// files). Errors name the tensor, the shape wanted by config.json and the shape found; missing and
// unexpected tensors are errors. Whether the head is tied is decided by the files where the flag
// says another thing (config.tie_word_embeddings is then what was found, and a warning says so).
Decoder load_decoder(const std::string& folder);

// A new model: normal(0, initializer_range), o and down scaled by 1/sqrt(2 L) (GPT-2, section 2.3),
// norms one. Draws are Philox, keyed by seed and tensor name.
Decoder create_decoder(const ModelConfig& config, uint64_t seed);

enum class SaveDtype { f32, bf16, f16 };

// Writes config.json, model.safetensors (sharded over max_shard_bytes) and generation_config.json,
// with transformers' names. The tokenizer is saved by its owner (core/text).
// With a score (1, C) it is saved as a sequence classifier of one label: score.weight, no lm_head.
void save_decoder(const Decoder& decoder, const std::string& folder,
                  SaveDtype dtype = SaveDtype::f32, const at::Tensor& score = {});

// score.weight of a folder saved so: (1, C) f32, or undefined when it has none.
at::Tensor load_score(const std::string& folder);

}  // namespace plumb
