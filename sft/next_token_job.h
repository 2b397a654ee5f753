// Next-token training as a SupervisedJob: what pretraining and SFT share. They differ in which
// tokens of a sample are trained (core/data) and in what is trainable (recipes).
#pragma once
#include <string>

#include "core/model/decoder.h"
#include "core/train/data_feed.h"
#include "core/train/loop.h"
#include "sft/token_batch.h"

namespace plumb {

struct NextTokenModel {
  const Decoder* decoder = nullptr;
  const Adapter* adapter = nullptr;  // null: none
};

// Sum of -log p(target) over the batch, nats, and the sum of the entropies. The rows that are
// trained are gathered before the head, so that prompts cost no logits.
LossSum next_token_loss(const NextTokenModel& model, const TokenBatch& batch,
                        const std::optional<DropoutKey>& dropout);

// Logs loss, entropy and perplexity (exp of the mean loss), each per trained token. What `model`
// and `source` point to must outlive the job.
SupervisedJob next_token_job(const std::string& name, const NextTokenModel& model,
                             const DataFeed& source);

}  // namespace plumb
