// Which samples make which batch: pure functions of seed and step, so a resumed run needs no state
// but its step, and any number of ranks sees the same global batches.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

enum class SampleOrder { shuffled, in_sequence };

class BatchPlan {
 public:
  // Throws Error when there are no samples or batch_size < 1.
  BatchPlan(std::int64_t num_samples, std::int64_t batch_size, std::uint64_t seed,
            SampleOrder order = SampleOrder::shuffled);

  // The last batch of an epoch is short when the batch size does not divide the samples.
  std::int64_t steps_per_epoch() const;
  std::int64_t epoch_of(std::int64_t step) const { return step / steps_per_epoch(); }
  // The sample at place `i` of an epoch; for fixed epoch a permutation of [0, num_samples).
  std::int64_t sample_index(std::int64_t epoch, std::int64_t i) const;
  // Samples of optimizer step `step`, counted from 0 over all epochs.
  std::vector<std::int64_t> global_batch(std::int64_t step) const;

 private:
  std::int64_t num_samples_;
  std::int64_t batch_size_;
  std::uint64_t seed_;
  SampleOrder order_;
};

// The part of a batch that a rank trains on: parts differ as little as possible in tokens, together
// are the batch, and keep its order. A part is empty only when there are more ranks than samples.
// `lengths` (tokens) belongs to `batch` place by place.
std::vector<std::int64_t> rank_share(std::span<const std::int64_t> batch,
                                     std::span<const std::int64_t> lengths, std::int64_t rank,
                                     std::int64_t world_size);

// Divides a share into micro-batches of at most `max_tokens` (0: no limit), first fit in order. A
// sample longer than that is alone.
std::vector<std::vector<std::int64_t>> micro_batches(std::span<const std::int64_t> share,
                                                     std::span<const std::int64_t> lengths,
                                                     std::int64_t max_tokens);

}  // namespace plumb
