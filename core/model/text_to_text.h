// Encoder and decoder over the flat sequences that the jobs know: source and target are one run of
// tokens, and a row's hidden state predicts the token after it, as in models of one stack.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>

#include "core/model/stack_hidden.h"

namespace plumb {

// A sequence of S source and G target tokens becomes S rows of the encoder and 1 + G of the
// decoder, whose first token, decoder_start_token_id, stands in the place of the source's last.
struct TwoStacks {
  PackedBatch source, target;
  at::Tensor target_rows;  // (rows of target) int64: their places in the flat batch
  ForwardOptions source_options, target_options;
};

// Throws Error where the batch names no sources, a source is empty or longer than its sequence, or
// an adapter's rows do not begin and end with sequences.
TwoStacks split(const PackedBatch& batch, const ForwardOptions& options, const ModelConfig& config);

// (M, C), behind the encoder's last norm; `batch` holds sources alone.
EncodedSource encode(const Decoder& decoder, const PackedBatch& batch,
                     const ForwardOptions& options);

// (N, C), rows of the flat batch; zero where there is none of the decoder.
at::Tensor text_to_text_hidden(const Decoder& decoder, const PackedBatch& batch,
                               const ForwardOptions& options);

}  // namespace plumb
