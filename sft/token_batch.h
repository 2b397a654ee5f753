// Samples as one packed batch and the rows whose next token is trained: prompts, templates and the
// first token of a sequence are read, and never asked for.
#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "core/data/sample.h"
#include "core/model/packed_batch.h"

namespace plumb {

struct TokenBatch {
  PackedBatch batch;     // N rows
  at::Tensor loss_rows;  // (M) int64: rows whose logits predict a trained token
  at::Tensor targets;    // (M) int64: those tokens
  int64_t num_targets() const { return targets.size(0); }
};

TokenBatch make_token_batch(const std::vector<Sample>& samples);

}  // namespace plumb
