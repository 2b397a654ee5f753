#include "core/data/batch_plan.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"

namespace plumb {
namespace {

// The finalizer of splitmix64 (Steele, Lea & Flood 2014).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// A keyed permutation of [0, 4^half_bits): a balanced Feistel network (Luby & Rackoff 1988), so
// the place of a sample in a shuffled epoch is computed, not remembered.
std::uint64_t feistel(std::uint64_t x, std::uint64_t key, int half_bits) {
  constexpr int kRounds = 8;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  std::uint64_t left = x >> half_bits;
  std::uint64_t right = x & mask;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t next = left ^ (mix(key + mix(right + (round << 56))) & mask);
    left = right;
    right = next;
  }
  return left << half_bits | right;
}

// Cycle walking (Black & Rogaway 2002): apply until the value is in range, at most four tries on
// average.
std::int64_t permuted(std::int64_t index, std::int64_t size, std::uint64_t key) {
  int half_bits = 1;
  while ((std::uint64_t{1} << (2 * half_bits)) < static_cast<std::uint64_t>(size)) ++half_bits;
  auto x = static_cast<std::uint64_t>(index);
  do {
    x = feistel(x, key, half_bits);
  } while (x >= static_cast<std::uint64_t>(size));
  return static_cast<std::int64_t>(x);
}

void check_lengths(std::span<const std::int64_t> indices, std::span<const std::int64_t> lengths) {
  if (indices.size() == lengths.size()) return;
  throw Error("batch plan: " + std::to_string(indices.size()) + " samples with " +
                  std::to_string(lengths.size()) + " lengths",
              Exit::failed);
}

}  // namespace

BatchPlan::BatchPlan(std::int64_t num_samples, std::int64_t batch_size, std::uint64_t seed,
                     SampleOrder order)
    : num_samples_(num_samples), batch_size_(batch_size), seed_(seed), order_(order) {
  if (num_samples < 1) throw Error("there is no sample to make a batch of");
  if (batch_size < 1) {
    throw Error("a batch has at least 1 sample, not " + std::to_string(batch_size), Exit::usage);
  }
}

std::int64_t BatchPlan::steps_per_epoch() const {
  return (num_samples_ + batch_size_ - 1) / batch_size_;
}

std::int64_t BatchPlan::sample_index(std::int64_t epoch, std::int64_t i) const {
  if (order_ == SampleOrder::in_sequence) return i;
  const std::uint64_t key =
      mix(seed_ + 0x9E3779B97F4A7C15u * (static_cast<std::uint64_t>(epoch) + 1));
  return permuted(i, num_samples_, key);
}

std::vector<std::int64_t> BatchPlan::global_batch(std::int64_t step) const {
  const std::int64_t epoch = epoch_of(step);
  const std::int64_t begin = (step - epoch * steps_per_epoch()) * batch_size_;
  const std::int64_t end = std::min(begin + batch_size_, num_samples_);
  std::vector<std::int64_t> batch;
  for (std::int64_t i = begin; i < end; ++i) batch.push_back(sample_index(epoch, i));
  return batch;
}

std::vector<std::int64_t> rank_share(std::span<const std::int64_t> batch,
                                     std::span<const std::int64_t> lengths, std::int64_t rank,
                                     std::int64_t world_size) {
  check_lengths(batch, lengths);
  std::vector<std::size_t> longest_first(batch.size());
  std::iota(longest_first.begin(), longest_first.end(), std::size_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  // Longest processing time first (Graham 1969): each to the rank with the fewest tokens so far,
  // and, among equals, the fewest samples, so that samples of length 0 are spread too.
  std::vector<std::pair<std::int64_t, std::int64_t>> loads(static_cast<std::size_t>(world_size));
  std::vector<std::size_t> places;
  for (const std::size_t place : longest_first) {
    const auto least = std::min_element(loads.begin(), loads.end());
    least->first += lengths[place];
    least->second += 1;
    if (least - loads.begin() == rank) places.push_back(place);
  }
  std::sort(places.begin(), places.end());
  std::vector<std::int64_t> share;
  for (const std::size_t place : places) share.push_back(batch[place]);
  return share;
}

std::vector<std::vector<std::int64_t>> micro_batches(std::span<const std::int64_t> share,
                                                     std::span<const std::int64_t> lengths,
                                                     std::int64_t max_tokens) {
  check_lengths(share, lengths);
  std::vector<std::vector<std::int64_t>> batches;
  std::vector<std::int64_t> loads;
  for (std::size_t i = 0; i < share.size(); ++i) {
    std::size_t slot = 0;
    while (slot < loads.size() && max_tokens > 0 && loads[slot] + lengths[i] > max_tokens) ++slot;
    if (slot == loads.size()) {
      batches.emplace_back();
      loads.push_back(0);
    }
    batches[slot].push_back(share[i]);
    loads[slot] += lengths[i];
  }
  return batches;
}

}  // namespace plumb
