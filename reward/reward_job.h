// Reward-model training as a SupervisedJob: chosen and rejected in one packed batch, the head read
// at each sequence's last token, no logits.
#pragma once
#include "core/model/decoder.h"
#include "core/train/data_feed.h"
#include "core/train/loop.h"
#include "reward/pair_loss_options.h"

namespace plumb {

struct RewardBackbone {
  const Decoder* decoder = nullptr;
  const Adapter* adapter = nullptr;  // null: none
  at::Tensor score;                  // (1, C), trained
};

// Logs, per pair, with TRL's names: loss, accuracy, margin (r_c - r_r), mean_reward; and
// mean_chosen, mean_rejected. What `model` and `source` point to must outlive the job.
SupervisedJob reward_job(const RewardBackbone& model, const PairLossOptions& options,
                         const DataFeed& source);

}  // namespace plumb
