#include "reward/reward_job.h"

#include <memory>

#include "reward/pair_loss.h"
#include "reward/reward_model.h"

namespace plumb {
namespace {

struct PairBatch {
  PackedBatch batch;   // chosen and rejected of a pair, one after the other
  at::Tensor margins;  // (B) f32
};

PairBatch make_pair_batch(const std::vector<Sample>& samples) {
  std::vector<std::vector<int32_t>> sequences;
  auto margins = at::empty({static_cast<int64_t>(samples.size())}, at::kFloat);
  for (size_t i = 0; i < samples.size(); ++i) {
    sequences.push_back(samples[i].chosen().tokens);
    sequences.push_back(samples[i].rejected().tokens);
    margins.data_ptr<float>()[i] = static_cast<float>(samples[i].margin);
  }
  return {pack(sequences), margins};
}

std::vector<double> pair_metrics(const PairRewards& rewards) {
  const auto chosen = rewards.chosen.detach().to(at::kDouble);
  const auto rejected = rewards.rejected.detach().to(at::kDouble);
  const auto total = [](const at::Tensor& t) { return t.sum(at::kDouble).item<double>(); };
  return {total(chosen > rejected), total(chosen - rejected), total(chosen + rejected) / 2,
          total(chosen), total(rejected)};
}

LossSum pair_loss(const RewardBackbone& model, const PairLossOptions& options,
                  const PairBatch& pairs, const std::optional<DropoutKey>& dropout) {
  ForwardOptions forward;
  if (model.adapter != nullptr) forward.adapters = {{0, pairs.batch.num_rows(), model.adapter}};
  forward.dropout = dropout;
  const auto hidden = model.decoder->hidden(pairs.batch, forward);
  const auto values =
      last_values(hidden, pairs.batch.cu_seqlens, model.score).view({-1, 2});  // (B, 2)
  const PairRewards rewards{values.select(1, 0), values.select(1, 1),
                            pairs.margins.to(values.device())};
  return {pair_loss_sum(rewards, options.center_rewards_coefficient), pair_metrics(rewards)};
}

}  // namespace

SupervisedJob reward_job(const RewardBackbone& model, const PairLossOptions& options,
                         const DataFeed& source) {
  SupervisedJob job;
  job.name = "reward";
  job.metrics = {"accuracy", "margin", "mean_reward", "mean_chosen", "mean_rejected"};
  feed(job, source,
       [model, options](const std::vector<Sample>& samples,
                        const std::optional<DropoutKey>& dropout) {
         auto pairs = std::make_shared<const PairBatch>(make_pair_batch(samples));
         MicroBatch micro;
         micro.weight = static_cast<double>(samples.size());
         micro.num_tokens = pairs->batch.num_rows();
         for (const auto& sample : samples) micro.sample_ids.push_back(sample.row);
         micro.loss = [model, options, pairs, dropout] {
           return pair_loss(model, options, *pairs, dropout);
         };
         return micro;
       });
  return job;
}

}  // namespace plumb
