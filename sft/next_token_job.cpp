#include "sft/next_token_job.h"

#include <cmath>
#include <memory>

#include "core/ops/token_loss.h"

namespace plumb {
namespace {

void add_perplexity(const std::string& prefix, Metrics& metrics) {
  for (const auto& [key, value] : metrics) {
    if (key != prefix + "loss") continue;
    metrics.emplace_back(prefix + "perplexity", std::exp(value));
    return;
  }
}

}  // namespace

LossSum next_token_loss(const NextTokenModel& model, const TokenBatch& batch,
                        const std::optional<DropoutKey>& dropout) {
  ForwardOptions options;
  if (model.adapter != nullptr) options.adapters = {{0, batch.batch.num_rows(), model.adapter}};
  options.dropout = dropout;
  const auto hidden = model.decoder->hidden(batch.batch, options);                        // (N, C)
  const auto trained_rows = hidden.index_select(0, batch.loss_rows.to(hidden.device()));  // (M, C)
  double entropy = 0;
  LossSum sum;
  sum.loss = cross_entropy_sum(trained_rows, model.decoder->head(), batch.targets, &entropy);
  sum.sums = {entropy};
  return sum;
}

SupervisedJob next_token_job(const std::string& name, const NextTokenModel& model,
                             const DataFeed& source) {
  SupervisedJob job;
  job.name = name;
  job.metrics = {"entropy"};
  job.derive = add_perplexity;
  feed(job, source,
       [model](const std::vector<Sample>& samples, const std::optional<DropoutKey>& dropout) {
         auto batch = std::make_shared<const TokenBatch>(make_token_batch(samples));
         MicroBatch micro;
         micro.weight = static_cast<double>(batch->num_targets());
         micro.num_tokens = batch->batch.num_rows();
         for (const auto& sample : samples) micro.sample_ids.push_back(sample.row);
         micro.loss = [model, batch, dropout] { return next_token_loss(model, *batch, dropout); };
         return micro;
       });
  return job;
}

}  // namespace plumb
