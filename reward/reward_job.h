// Reward-model training as a SupervisedJob: chosen and rejected in one packed batch, the head read at
// each sequence's last token, no logits.
#pragma once
#include <cstdint>

#include "core/data/prepare.h"
#include "core/dist/comm.h"
#include "core/model/decoder.h"
#include "core/train/loop.h"
#include "reward/pair_loss_options.h"

namespace plumb {

struct RewardTask {
  const Decoder* decoder = nullptr;
  const Adapter* adapter = nullptr;  // null: all weights are trained
  at::Tensor score;                  // (1, C), trained
  const PreparedData* data = nullptr;
  const Comm* comm = nullptr;
  PairLossOptions loss;
  TrainOptions options;
  uint64_t seed = 0;
};

// Logs, per pair, with TRL's names: loss, accuracy, margin (r_c - r_r), mean_reward, mean_chosen, mean_rejected.
SupervisedJob reward_job(const RewardTask& task);

}  // namespace plumb
