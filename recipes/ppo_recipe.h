// plumb ppo: PPO with a KL penalty, policy and critic as adapters on one base; torch-free.
#pragma once
#include "core/data/data_options.h"
#include "core/train/train_options.h"
#include "lora/lora_options.h"
#include "ppo/ppo_options.h"
#include "recipes/run_options.h"

namespace plumb {

struct PpoRecipe {
  RunOptions run;
  ModelOptions model;
  LoraOptions lora;
  DataOptions data;
  TrainOptions train;
  PpoOptions ppo;

  PpoRecipe() {
    train.batch_size = 64;
    train.optimizer.lr = 1e-5;
    train.schedule.schedule = "linear";
  }

  template <class Visitor>
  void fields(Visitor& v) {
    v("run", run, "this run");
    v("model", model, "the policy's base, and the adapter that it starts from: the reference too");
    v("lora", lora, "the policy's adapter, where model.adapter gives none");
    v("data", data,
      "prompts: a prompt column, or messages; an answer column for exact and numeric matches");
    v("train", train,
      "iterations (steps), responses an iteration (batch_size), the policy's optimizer");
    v("ppo", ppo, "the algorithm");
  }
};

}  // namespace plumb
