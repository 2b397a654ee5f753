// How a run's samples are divided into micro-batches, by the very functions that divide them when
// it runs (core/data/batch_plan.h).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/train/train_options.h"

namespace plumb::plan {

// What is known of the data without its tokens.
struct DataShape {
  std::vector<std::int64_t> lengths;  // tokens of each sample, or of those that were looked at
  std::int64_t samples = 0;           // all there are; 0: not known
  double sequences = 1;               // of a sample: 2 of a preference
  double trained_share = 1;           // of the tokens: targets of the loss
  double source_share = 0;            // of the tokens: read by a text-to-text model's encoder
  std::string how;                    // where the numbers come from, for people
  bool is_exact = false;              // lengths are those of all samples

  double mean_length() const;
  std::int64_t longest() const;
};

// A rank's part of a run, or of one pass over held-out data.
struct Batches {
  double updates = 0;
  double micro_batches = 0;
  double rows = 0;    // of all micro-batches
  double length = 0;  // of a sequence, the mean over rows
  double widest = 0;  // rows of the largest micro-batch

  double typical_rows() const { return micro_batches > 0 ? rows / micro_batches : 0; }
};

struct Division {
  std::int64_t batch_size = 1;
  std::int64_t micro_batch_tokens = 1;
  std::int64_t ranks = 1;
  std::uint64_t seed = 0;
};

// Updates of `train` over the data, which must hold at least one length.
Batches training_batches(const DataShape& data, const TrainOptions& train,
                         const Division& division);
// All samples once.
Batches one_pass(const DataShape& data, const Division& division);

}  // namespace plumb::plan
