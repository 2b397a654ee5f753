// Flags of the commands that use a model without training it; torch-free.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/fields.h"
#include "core/model/sampling_options.h"

namespace plumb {

// Flags that every command which opens a model shares.
struct UseOptions {
  std::string adapter;
  std::string device = "cpu";
  int64_t threads = 0;
  bool json = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("adapter", adapter, "a PEFT folder, or hf:owner/name, to use on the model");
    v("device", device, "where tensors live: cpu, cuda, or a GPU by number, cuda:0");
    v("threads", threads, "0: all cores", at_least(0));
    v("json", json, "one JSON object on stdout");
  }
};

struct GenerateOptions {
  std::string model;
  std::vector<std::string> prompt;
  std::string prompts;
  std::string chat_template = "none";
  std::string system;
  bool greedy = false;
  SamplingOptions sampling;
  int64_t samples = 1;
  int64_t seed = 42;
  int64_t batch = 16;
  std::string weights = "f32";
  UseOptions use;

  template <class Visitor>
  void fields(Visitor& v) {
    v("prompt", prompt,
      "text to go on from; may be given several times; none: from the start token");
    v("prompts", prompts, "a JSONL or JSON file with a prompt column");
    v("template", chat_template,
      "put each prompt into a chat turn: chatml, plain, llama2, alpaca, or the path of a .jinja "
      "file; auto: the model's own; none: as it is");
    v("system", system, "system message of a chat turn");
    v("greedy", greedy, "always the likeliest token");
    v("sampling", sampling, "how tokens are drawn");
    v("samples", samples, "completions a prompt", at_least(1));
    v("seed", seed, "keys the draws", at_least(0));
    v("batch", batch, "sequences decoded at the same time", at_least(1));
    v("weights", weights,
      "how decoding reads the base's weights: f32; bf16, half the memory traffic and exact where "
      "the files are bf16; int8, a quarter, rounded as GGUF's q8_0 (on a GPU: a scale a row); nf4, "
      "an eighth, on a GPU alone, as bitsandbytes stores them",
      one_of({"f32", "bf16", "int8", "nf4"}));
    v("use", use, "model");
  }
};

struct EvalOptions {
  std::string model;
  std::vector<std::string> data;
  int64_t max_length = 0;
  int64_t micro_batch_tokens = 4096;
  UseOptions use;

  template <class Visitor>
  void fields(Visitor& v) {
    v("data", data,
      "text to measure: .txt or JSONL with a text column; of a text-to-text model prompt and "
      "completion columns",
      required());
    v("max_length", max_length, "tokens of a window at most; 0: the model's context", at_least(0));
    v("micro_batch_tokens", micro_batch_tokens, "tokens a forward pass at most", at_least(1));
    v("use", use, "model");
  }
};

struct LogitsOptions {
  std::string model;
  std::string ids;
  std::string text;
  std::string target_ids;
  UseOptions use;

  template <class Visitor>
  void fields(Visitor& v) {
    v("ids", ids, "token ids, separated by spaces");
    v("text", text, "text, encoded by the model's tokenizer");
    v("target_ids", target_ids,
      "of a text-to-text model: ids that the decoder reads after its start token");
    v("use", use, "model");
  }
};

struct ScoreOptions {
  std::string model;
  std::string reward;
  std::vector<std::string> text;
  std::vector<std::string> data;
  std::string chat_template = "auto";
  std::string too_long = "error";
  bool normalise = false;
  int64_t micro_batch_tokens = 4096;
  UseOptions use;

  template <class Visitor>
  void fields(Visitor& v) {
    v("reward", reward,
      "the reward model: folder of an adapter with its head (or MODEL itself holds the head)");
    v("text", text, "a text to score; may be given several times");
    v("data", data, "JSONL to score: pairs (chosen, rejected) or a text column");
    v("template", chat_template, "how turns become text, as in data.template");
    v("too_long", too_long, "pairs beyond the model's context: error, or drop and count them",
      one_of({"error", "drop"}));
    v("normalise", normalise,
      "subtract the mean and divide by the scale kept with the reward model");
    v("micro_batch_tokens", micro_batch_tokens, "tokens a forward pass at most", at_least(1));
    v("use", use, "model");
  }
};

// merge and export: MODEL_OR_ADAPTER [--adapter DIR] --out PATH.
struct ExportOptions {
  std::string model;
  std::string out;
  std::string base;
  std::string format = "hf";
  std::string dtype = "f32";
  bool overwrite = false;
  UseOptions use;

  template <class Visitor>
  void fields(Visitor& v) {
    v("out", out, "folder to write; of gguf the file", required());
    v("format", format,
      "hf: the (merged) model; peft: the adapter; gguf: either, for llama.cpp and what uses it",
      one_of({"hf", "peft", "gguf"}));
    v("dtype", dtype, "of the tensors in the file; q8_0 and q4_0 in gguf alone",
      one_of({"f32", "bf16", "f16", "q8_0", "q4_0"}));
    v("base", base, "the model that an adapter belongs to, where it is not the one it names");
    v("overwrite", overwrite, "replace what is there, once the new is written and compared");
    v("use", use, "model");
  }
};

}  // namespace plumb
