// One stack of layers over a packed batch: embedding, blocks, last norm. The decoder of most models
// is one; text-to-text models have two (core/model/text_to_text.h).
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/io/linear_sites.h"
#include "core/model/decoder.h"

namespace plumb {

// What cross-attentions read.
struct EncodedSource {
  at::Tensor hidden;                // (M, C), behind the encoder's last norm
  std::vector<int64_t> cu_seqlens;  // (B + 1): as many sequences as the decoder's
  ForwardOptions options;           // its rows
};

struct StackRun {
  const PackedBatch& batch;
  const ForwardOptions& options;
  Stack stack = Stack::decoder;  // or encoder
  const EncodedSource* source = nullptr;
};

// -> (N, C). The batch and the options have been checked.
at::Tensor stack_hidden(const Decoder& decoder, const StackRun& run);

}  // namespace plumb
