// plumb pretrain: next-token training on text, from scratch or from a model; torch-free.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/data/data_options.h"
#include "core/train/train_options.h"
#include "recipes/run_options.h"
#include "recipes/sample_options.h"

namespace plumb {

// A new model's shape: Llama's, as in its config.json.
struct ArchitectureOptions {
  int64_t hidden_size = 256;
  int64_t intermediate_size = 704;
  int64_t num_hidden_layers = 6;
  int64_t num_attention_heads = 8;
  int64_t num_key_value_heads = 4;
  int64_t max_position_embeddings = 512;
  double rope_theta = 10000.0;
  double initializer_range = 0.02;
  bool tie_word_embeddings = true;

  template <class Visitor>
  void fields(Visitor& v) {
    v("hidden_size", hidden_size, "width C of the residual stream", at_least(1));
    v("intermediate_size", intermediate_size, "width F inside the MLP", at_least(1));
    v("num_hidden_layers", num_hidden_layers, "layers L", at_least(1));
    v("num_attention_heads", num_attention_heads, "query heads H; H must divide C", at_least(1));
    v("num_key_value_heads", num_key_value_heads, "key and value heads K; K must divide H",
      at_least(1));
    v("max_position_embeddings", max_position_embeddings, "context: tokens a sequence at most",
      at_least(2));
    v("rope_theta", rope_theta, "base of the rotary frequencies", above(0));
    v("initializer_range", initializer_range, "standard deviation of the first weights", above(0));
    v("tie_word_embeddings", tie_word_embeddings, "the head is the embedding");
  }
};

struct TokenizerOptions {
  std::string path;
  std::string kind = "bpe";
  int64_t vocab_size = 4096;
  int64_t min_frequency = 2;
  std::string bos_token;
  std::string eos_token = "<|endoftext|>";
  std::vector<std::string> special_tokens;

  template <class Visitor>
  void fields(Visitor& v) {
    v("path", path,
      "a folder with tokenizer.json; empty: the model's own, or a new one from the data");
    v("kind", kind, "of a new tokenizer: byte-level BPE, words or characters",
      one_of({"bpe", "word", "character"}));
    v("vocab_size", vocab_size, "tokens of a new tokenizer at most", at_least(1));
    v("min_frequency", min_frequency, "rarer pairs, words or characters get no token of their own",
      at_least(1));
    v("bos_token", bos_token, "put before every text; empty: none");
    v("eos_token", eos_token, "ends a document or an answer");
    v("special_tokens", special_tokens, "further ones: <|im_start|>, <|im_end|>");
  }
};

struct PretrainRecipe {
  RunOptions run;
  ModelOptions model;
  ArchitectureOptions architecture;
  TokenizerOptions tokenizer;
  DataOptions data;
  TrainOptions train;
  SampleTableOptions samples;

  PretrainRecipe() {
    train.optimizer.lr = 3e-4;
    train.optimizer.beta2 = 0.95;
    train.optimizer.weight_decay = 0.1;
    train.schedule.min_lr_ratio = 0.1;
    train.schedule.warmup_ratio = 0.02;
  }

  template <class Visitor>
  void fields(Visitor& v) {
    v("run", run, "this run");
    v("model", model, "what training starts from; without a path a new model is made");
    v("architecture", architecture, "shape of a new model");
    v("tokenizer", tokenizer, "the tokenizer of a new model");
    v("data", data, "documents: a text column, or .txt files");
    v("train", train, "updates");
    v("samples", samples, "completions before and after, for the report");
  }
};

}  // namespace plumb
