#include "core/train/data_feed.h"

#include <numeric>

#include "core/data/batch_plan.h"
#include "core/io/hash.h"

namespace plumb {
namespace {

std::vector<std::vector<int64_t>> divide(const DataFeed& source, const Dataset& data,
                                         const std::vector<int64_t>& batch) {
  const auto share =
      rank_share(batch, data.lengths(batch), source.comm->rank(), source.comm->world_size());
  return micro_batches(share, data.lengths(share), source.options.micro_batch_tokens);
}

std::vector<Sample> samples_of(const Dataset& data, const std::vector<int64_t>& indices) {
  std::vector<Sample> samples;
  for (const int64_t index : indices) samples.push_back(data.sample(index));
  return samples;
}

// A micro-batch's place in the run: step, rank and number, each in its own bits.
DropoutKey dropout_key(const DataFeed& source, int64_t step, size_t number) {
  const auto place =
      static_cast<uint64_t>(step) << 32 | static_cast<uint64_t>(source.comm->rank()) << 20 | number;
  return {source.seed, place};
}

}  // namespace

void feed(SupervisedJob& job, const DataFeed& source, const MakeMicroBatch& make) {
  const Dataset& train = source.data->train;
  const BatchPlan plan(train.size(), source.options.batch_size, source.seed);
  job.total_steps = total_steps(source.options, train.size());
  job.samples_per_epoch = train.size();
  job.micro_batches = [source, plan, make](int64_t step) {
    std::vector<MicroBatch> micros;
    for (const auto& indices : divide(source, source.data->train, plan.global_batch(step))) {
      const auto key = dropout_key(source, step, micros.size());
      micros.push_back(make(samples_of(source.data->train, indices), key));
    }
    return micros;
  };
  if (!source.data->validation) return;
  job.evaluation = [source, make] {
    const Dataset& held_out = *source.data->validation;
    std::vector<int64_t> all(held_out.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<MicroBatch> micros;
    for (const auto& indices : divide(source, held_out, all)) {
      micros.push_back(make(samples_of(held_out, indices), std::nullopt));
    }
    return micros;
  };
}

std::string plan_hash(const DataFeed& source) {
  const auto& train = source.data->train;
  Hasher hasher;
  const auto add = [&](int64_t number) { hasher.update(&number, sizeof number); };
  add(train.size());
  add(source.options.batch_size);
  add(source.options.micro_batch_tokens);
  add(static_cast<int64_t>(source.seed));
  for (int64_t i = 0; i < train.size(); ++i) add(train.length(i));
  return hasher.hex();
}

}  // namespace plumb
