// The decoder's forward pass over a KV cache, for rows of any mixture of sequences: prompt tokens
// that fill the cache, or each sequence's newest token. Every kernel gives a row the same bits
// whatever the other rows (core/ops/decode_linear.h), so that prompts may be split, shared and
// joined at will.
#pragma once
#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/kv_cache.h"
#include "core/ops/decode_linear.h"
#include "core/ops/decode_rows.h"
#include "core/ops/rope.h"

namespace plumb {

// Several linears over the same input, read at once where no adapter stands between them.
struct FusedLinear {
  struct Part {
    DecodeWeight weight;
    DecodeLowRank low_rank;
    int64_t column = 0;  // of the joint output
  };
  std::vector<Part> parts;
  int64_t in_features = 0;
  int64_t out_features = 0;
};

class DecodeForward {
 public:
  // Keeps references: decoder and adapter (null: none) must outlive it and not change.
  DecodeForward(const Decoder& decoder, const Adapter* adapter, int64_t max_rows);

  // Tokens at their places: writes their keys and values. Afterwards logits() may be asked for.
  // At most max_rows; a sequence's rows in order of position; the cache has room.
  void run(std::span<const int32_t> tokens, std::span<const DecodeRow> rows, KvCache& cache);

  // The same without what only the logits need: for prompts.
  void fill(std::span<const int32_t> tokens, std::span<const DecodeRow> rows, KvCache& cache);

  // (N, V) of the last run; valid until the next.
  std::span<const float> logits();

 private:
  struct Layer {
    DecodeNorm input_norm, post_norm;
    FusedLinear qkv, o, gate_up, down;
  };
  enum class Attention { skip, compute };

  FusedLinear fused(const at::Tensor& weight, const at::Tensor& bias, int64_t layer,
                    std::span<const Linear> linears, std::span<const int64_t> sizes);
  DecodeLowRank low_rank(int64_t layer, Linear linear);
  void add_layer(int64_t index);
  void embed(std::span<const int32_t> tokens, std::span<const DecodeRow> rows);
  void attention(int64_t layer, std::span<const DecodeRow> rows, const DecodeCache& cache,
                 Attention how_far);
  void mlp(int64_t layer);
  void apply(const FusedLinear& linear, const float* x, float* y, const float* residual) const;

  const Decoder& decoder_;
  const Adapter* adapter_;
  int64_t max_rows_;
  int64_t num_rows_ = 0;  // of the last run
  std::vector<Layer> layers_;
  std::vector<at::Tensor> padded_;  // the adapter's: A, B, A, B, ...; ranks padded
  RotaryTable rotary_;
  at::Tensor x_, normed_, qkv_, attended_, gate_up_, act_, low_rank_scratch_, logits_;
};

}  // namespace plumb
