#include "sft/next_token_job.h"

#include <cmath>
#include <memory>

#include "core/data/batch_plan.h"
#include "core/ops/token_loss.h"

namespace plumb {
namespace {

ForwardOptions forward_options(const NextTokenTask& task, const PackedBatch& batch) {
  ForwardOptions options;
  if (task.adapter != nullptr) options.adapters = {{0, batch.num_rows(), task.adapter}};
  return options;
}

MicroBatch micro_batch(const NextTokenTask& task, const Dataset& data, const std::vector<int64_t>& indices,
                       std::optional<uint64_t> dropout_step) {
  std::vector<Sample> samples;
  MicroBatch micro;
  for (const int64_t index : indices) {
    samples.push_back(data.sample(index));
    micro.sample_ids.push_back(samples.back().row);
  }
  auto batch = std::make_shared<const TokenBatch>(make_token_batch(samples));
  micro.weight = static_cast<double>(batch->num_targets());
  micro.num_tokens = batch->batch.num_rows();
  micro.loss = [&task, batch, dropout_step] {
    auto options = forward_options(task, batch->batch);
    if (dropout_step) options.dropout = DropoutKey{task.seed, *dropout_step};
    return next_token_loss(task, *batch, options);
  };
  return micro;
}

// Micro-batches of one update differ in their dropout: the key counts them through.
constexpr uint64_t kMicroBatchesPerStep = uint64_t{1} << 20;

}  // namespace

LossSum next_token_loss(const NextTokenTask& task, const TokenBatch& batch, const ForwardOptions& options) {
  const auto hidden = task.decoder->hidden(batch.batch, options);  // (N, C)
  double entropy = 0;
  const auto loss = [&entropy](const TokenStats& rows, int64_t) {
    entropy += rows.entropy.sum(at::kDouble).item<double>();
    return TokenLossChunk{-rows.logprobs.sum(at::kDouble).item<double>(), at::full_like(rows.logprobs, -1), {}};
  };
  LossSum sum;
  sum.loss = token_loss(hidden.index_select(0, batch.loss_rows), task.decoder->weights.lm_head, batch.targets, 1.0, loss);
  sum.sums = {entropy};
  return sum;
}

SupervisedJob next_token_job(const std::string& name, const NextTokenTask& task) {
  const Dataset& train = task.data->train;
  const BatchPlan plan(train.size(), task.options.batch_size, task.seed);
  SupervisedJob job;
  job.name = name;
  job.metrics = {"entropy"};
  job.total_steps = total_steps(task.options, train.size());
  job.samples_per_epoch = train.size();

  const auto divide = [&task](const Dataset& data, const std::vector<int64_t>& batch) {
    const auto share = rank_share(batch, data.lengths(batch), task.comm->rank(), task.comm->world_size());
    return micro_batches(share, data.lengths(share), task.options.micro_batch_tokens);
  };
  job.micro_batches = [&task, &train, plan, divide](int64_t step) {
    std::vector<MicroBatch> micros;
    for (const auto& indices : divide(train, plan.global_batch(step))) {
      const uint64_t count = kMicroBatchesPerStep * static_cast<uint64_t>(step) +
                             static_cast<uint64_t>(task.comm->rank()) * 4096 + micros.size();
      micros.push_back(micro_batch(task, train, indices, count));
    }
    return micros;
  };
  if (task.data->validation) {
    const Dataset& held_out = *task.data->validation;
    job.evaluation = [&task, &held_out, divide] {
      std::vector<int64_t> all(held_out.size());
      for (int64_t i = 0; i < held_out.size(); ++i) all[i] = i;
      std::vector<MicroBatch> micros;
      for (const auto& indices : divide(held_out, all)) {
        micros.push_back(micro_batch(task, held_out, indices, std::nullopt));
      }
      return micros;
    };
  }
  job.derive = [](const std::string& prefix, Metrics& metrics) {
    for (const auto& [key, value] : metrics) {
      if (key != prefix + "loss") continue;
      metrics.emplace_back(prefix + "perplexity", std::exp(value));
      break;
    }
  };
  return job;
}

}  // namespace plumb
