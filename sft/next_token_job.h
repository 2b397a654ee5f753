// Next-token training as a SupervisedJob: what pretraining and SFT share. They differ in which
// tokens of a sample are trained (core/data) and in what is trainable (recipes).
#pragma once
#include <cstdint>
#include <string>

#include "core/data/prepare.h"
#include "core/dist/comm.h"
#include "core/model/decoder.h"
#include "core/train/loop.h"
#include "sft/token_batch.h"

namespace plumb {

struct NextTokenTask {
  const Decoder* decoder = nullptr;
  const Adapter* adapter = nullptr;  // null: none
  const PreparedData* data = nullptr;
  const Comm* comm = nullptr;
  TrainOptions options;
  uint64_t seed = 0;
};

// Sum of -log p(target) over the batch, nats, and the sum of the entropies. The rows that are
// trained are gathered before the head, so that prompts cost no logits.
LossSum next_token_loss(const NextTokenTask& task, const TokenBatch& batch, const ForwardOptions& options);

// Logs loss, entropy and perplexity (exp of the mean loss), each per trained token.
// `task` and what it points to must outlive the job.
SupervisedJob next_token_job(const std::string& name, const NextTokenTask& task);

}  // namespace plumb
