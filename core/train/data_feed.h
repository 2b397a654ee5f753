// Data for the supervised loop: which samples an update sees, how they are shared out over ranks
// and micro-batches, and the held-out set. Jobs say only what becomes of the samples of a
// micro-batch.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/data/prepare.h"
#include "core/dist/comm.h"
#include "core/model/adapter.h"
#include "core/train/loop.h"
#include "core/train/train_options.h"

namespace plumb {

struct DataFeed {
  const PreparedData* data = nullptr;  // must outlive the job
  const Comm* comm = nullptr;          // likewise
  TrainOptions options;
  uint64_t seed = 0;
};

// dropout: set in training, unset in evaluation; different for every micro-batch of the run.
using MakeMicroBatch = std::function<MicroBatch(const std::vector<Sample>& samples,
                                                const std::optional<DropoutKey>& dropout)>;

// Fills in total_steps, samples_per_epoch, micro_batches and, when there is a held-out set,
// evaluation.
void feed(SupervisedJob& job, const DataFeed& source, const MakeMicroBatch& make);

// What the order of samples depends on, hashed, for RunIdentity::plan_hash.
std::string plan_hash(const DataFeed& source);

}  // namespace plumb
