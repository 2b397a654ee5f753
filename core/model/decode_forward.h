// The decoder's forward pass over a KV cache, for rows of any mixture of sequences: prompt tokens
// that fill the cache, or each sequence's newest token. Every kernel gives a row the same bits
// whatever the other rows (core/ops/decode_linear.h), so that prompts may be split, shared and
// joined at will.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/model/decode_linears.h"
#include "core/model/decoder.h"
#include "core/model/kv_cache.h"
#include "core/model/source_cache.h"
#include "core/ops/decode_rows.h"
#include "core/ops/rope.h"

namespace plumb {

// Tokens and their places. A sequence's rows stand in order of position.
struct DecodeStep {
  std::vector<int32_t> tokens;
  std::vector<DecodeRow> rows;
  std::vector<int64_t>
      lengths;  // of each token's sequence in this step: a prompt's, or position + 1

  void add(int32_t token, const DecodeRow& row, int64_t length);
  void clear();
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
};

class DecodeForward {
 public:
  // Keeps references: decoder, its weights as they are to be read, and adapter (null: none) must
  // outlive it and not change.
  // `num_slots`: of the cache that will be passed; asked for by text-to-text models alone, whose
  // sources' keys and values are kept here.
  DecodeForward(const Decoder& decoder, DecodeWeights& weights, const Adapter* adapter,
                int64_t max_rows, int64_t num_slots = 0);

  // A text-to-text model's encoder reads the source of the sequence in `slot`, which comes before
  // its first step. The source alone decides the bits.
  void read_source(std::span<const int32_t> tokens, int64_t slot);

  // Writes the tokens' keys and values. Afterwards logits() may be asked for. At most max_rows; the
  // cache has room.
  void run(const DecodeStep& step, KvCache& cache);

  // The same without what only the logits need: for prompts.
  void fill(const DecodeStep& step, KvCache& cache);

  // (N, V) of the last run; valid until the next.
  std::span<const float> logits();

 private:
  struct Layer {
    DecodeNorm attention_norm, q_norm, k_norm, after_attention_norm, mlp_norm, after_mlp_norm;
    DecodeProduct qkv, o, gate_up, down;
    DecodeNorm cross_norm = {};  // of text-to-text models
    DecodeProduct cross_q = {}, cross_o = {};
  };
  enum class Attention { skip, compute };

  void add_layer(int64_t index, const std::vector<LinearSite>& sites);
  void add_cross_attention(int64_t index, const LayerStack& stack);
  DecodeNorm norm_of(const NormWeights& weights);
  void allocate(int64_t max_rows);
  void embed(const DecodeStep& step);
  void place(const DecodeStep& step);
  void turn(float* qkv);
  void attention(int64_t layer, const DecodeStep& step, const DecodeCache& cache,
                 Attention how_far);
  void attend(int64_t layer, const DecodeStep& step, const DecodeCache& cache);
  void cross_attention(int64_t layer, const DecodeStep& step);
  void mlp(int64_t layer);
  void norm(const DecodeNorm& norm);
  void add_to_residual(const DecodeProduct& product, const float* input, const DecodeNorm& after);

  const Decoder& decoder_;
  int64_t num_rows_ = 0;  // of the last run
  DecodeLinears linears_;
  DecodeWeight head_;
  std::vector<at::Tensor> norms_;  // factors of their own (norm_factors)
  std::vector<Layer> layers_;
  DecodeNorm final_norm_;
  RotaryTable rotary_;
  std::vector<int64_t> rotary_rows_;  // each token's row of the table
  at::Tensor key_bias_;               // (H, P) of ALiBi
  at::Tensor relative_;               // (H, P) of relative positions, the query's own last
  std::optional<SourceCache> sources_;
  at::Tensor x_, normed_, qkv_, attended_, gate_up_, act_, added_, logits_;
};

}  // namespace plumb
