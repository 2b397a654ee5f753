// plumb sft: supervised fine-tuning on prompts and answers, with LoRA or all weights; torch-free.
#pragma once
#include "core/data/data_options.h"
#include "core/train/train_options.h"
#include "lora/lora_options.h"
#include "recipes/run_options.h"
#include "recipes/sample_options.h"

namespace plumb {

struct SftRecipe {
  RunOptions run;
  ModelOptions model;
  LoraOptions lora;
  DataOptions data;
  TrainOptions train;
  SampleTableOptions samples;

  SftRecipe() {
    train.optimizer.lr = 2e-4;
    train.schedule.warmup_ratio = 0.03;
  }

  template <class Visitor>
  void fields(Visitor& v) {
    v("run", run, "this run");
    v("model", model, "what training starts from");
    v("lora", lora, "the adapter that is trained");
    v("data", data, "prompt and completion, messages, or instruction columns");
    v("train", train, "updates");
    v("samples", samples, "completions before and after, for the report");
  }
};

}  // namespace plumb
