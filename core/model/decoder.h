// The one decoder of all families: embedding, L x (attention block, MLP block), final norm, head.
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

namespace plumb {

// Weights of one layer, f32. q, k, v and gate, up lie in one tensor each, so that x is read once;
// files keep Hugging Face's separate names.
struct LayerWeights {
  at::Tensor input_norm;  // (C)
  at::Tensor qkv;         // ((H + 2 K) D, C)
  at::Tensor qkv_bias;    // ((H + 2 K) D) or undefined
  at::Tensor o;           // (C, H D)
  at::Tensor post_norm;   // (C)
  at::Tensor gate_up;     // (2 F, C), gate first
  at::Tensor down;        // (C, F)
};

struct DecoderWeights {
  at::Tensor embed_tokens;  // (V, C)
  std::vector<LayerWeights> layers;
  at::Tensor final_norm;  // (C)
  at::Tensor lm_head;     // (V, C); the same tensor as embed_tokens when tied
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

  // batch -> (N, C) f32: hidden states after the final norm, ready for a head.
  // Differentiable in the adapters' tensors and in weights that require a gradient.
  at::Tensor hidden(const PackedBatch& batch, const ForwardOptions& options = {}) const;

  // (M, C) -> (M, V): whole logits, for inspection and tests; losses use core/ops/token_loss.h.
  at::Tensor logits(const at::Tensor& hidden) const;

  // Every weight once (a tied head is not listed again), named as in this struct: "layers.3.qkv".
  std::vector<NamedTensor> parameters() const;
};

// Reads a Hugging Face folder straight into the final tensors (f32 in memory; f32, bf16, f16
// files). Errors name the tensor, the shape wanted by config.json and the shape found; missing and
// unexpected tensors are errors. A tied head present in the files must equal the embedding.
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
