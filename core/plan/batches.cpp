#include "core/plan/batches.h"

#include <algorithm>
#include <numeric>

#include "core/data/batch_plan.h"

namespace plumb::plan {
namespace {

constexpr std::int64_t kSimulated = 512;  // updates that are divided one by one

double sum(const std::vector<std::int64_t>& lengths) {
  return static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}));
}

// Mean over rows, so longer sequences weigh more.
double mean_over_rows(const DataShape& data) {
  double squares = 0;
  for (const std::int64_t length : data.lengths) {
    squares += static_cast<double>(length) * static_cast<double>(length);
  }
  return squares / std::max(1.0, sum(data.lengths)) / data.sequences;
}

void divide(const std::vector<std::int64_t>& batch, const DataShape& data, const Division& division,
            Batches& all) {
  const auto lengths_of = [&](const std::vector<std::int64_t>& samples) {
    std::vector<std::int64_t> lengths;
    for (const std::int64_t sample : samples) {
      lengths.push_back(data.lengths[static_cast<std::size_t>(sample) % data.lengths.size()]);
    }
    return lengths;
  };
  const auto share = rank_share(batch, lengths_of(batch), 0, division.ranks);
  for (const auto& micro : micro_batches(share, lengths_of(share), division.micro_batch_tokens)) {
    const double rows = sum(lengths_of(micro));
    all.micro_batches += 1;
    all.rows += rows;
    all.widest = std::max(all.widest, rows);
  }
}

// No micro-batch is wider, whatever the order of samples.
double widest_possible(const DataShape& data, const Division& division) {
  const double tokens = static_cast<double>(division.micro_batch_tokens);
  const double longest = static_cast<double>(data.longest());
  return std::max(longest, std::min(tokens, longest * static_cast<double>(division.batch_size)));
}

}  // namespace

double DataShape::mean_length() const {
  return lengths.empty() ? 0 : sum(lengths) / static_cast<double>(lengths.size());
}

std::int64_t DataShape::longest() const {
  return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
}

Batches training_batches(const DataShape& data, const TrainOptions& train,
                         const Division& division) {
  const std::int64_t samples =
      data.samples > 0 ? data.samples : static_cast<std::int64_t>(data.lengths.size());
  const std::int64_t updates = total_steps(train, samples);
  const BatchPlan plan(samples, division.batch_size, division.seed);
  Batches all;
  const std::int64_t simulated = std::min(updates, kSimulated);
  for (std::int64_t step = 0; step < simulated; ++step) {
    divide(plan.global_batch(step), data, division, all);
  }
  const double scale =
      static_cast<double>(updates) / static_cast<double>(std::max<std::int64_t>(1, simulated));
  all.updates = static_cast<double>(updates);
  all.micro_batches *= scale;
  all.rows *= scale;
  all.length = mean_over_rows(data);
  if (!data.is_exact || simulated < updates) {
    all.widest = std::max(all.widest, widest_possible(data, division));
  }
  return all;
}

Batches one_pass(const DataShape& data, const Division& division) {
  std::vector<std::int64_t> samples(data.lengths.size());
  std::iota(samples.begin(), samples.end(), std::int64_t{0});
  Batches all;
  divide(samples, data, division, all);
  const double scale = data.samples > 0 ? static_cast<double>(data.samples) /
                                              static_cast<double>(data.lengths.size())
                                        : 1;
  all.micro_batches *= scale;
  all.rows *= scale;
  all.length = mean_over_rows(data);
  return all;
}

}  // namespace plumb::plan
