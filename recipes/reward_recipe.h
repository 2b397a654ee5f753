// plumb reward: a reward model from preference pairs; torch-free.
#pragma once
#include "core/data/data_options.h"
#include "core/train/train_options.h"
#include "lora/lora_options.h"
#include "recipes/run_options.h"
#include "reward/pair_loss_options.h"

namespace plumb {

struct RewardRecipe {
  RunOptions run;
  ModelOptions model;
  LoraOptions lora;
  PairLossOptions loss;
  DataOptions data;
  TrainOptions train;

  RewardRecipe() {
    train.optimizer.lr = 1e-4;
    train.schedule.schedule = "linear";
    data.validation_fraction = 0.1;
  }

  template <class Visitor>
  void fields(Visitor& v) {
    v("run", run, "this run");
    v("model", model, "the backbone that training starts from");
    v("lora", lora, "the adapter that is trained beside the head");
    v("loss", loss, "Bradley-Terry, with what is added to it");
    v("data", data,
      "prompt, chosen and rejected columns, or whole transcripts chosen and rejected");
    v("train", train, "updates");
  }
};

}  // namespace plumb
