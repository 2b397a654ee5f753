// Small runs of the binary on data made for them, and what they leave behind.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/io/files.h"
#include "core/io/json.h"
#include "tests/support/run_program.h"

namespace plumb::test {

using Words = std::vector<std::string>;

// PLUMB_PROGRAM in the environment names another build to test.
inline std::string program() {
  const char* other = std::getenv("PLUMB_PROGRAM");
  return other != nullptr ? other : PLUMB_PROGRAM;
}

inline Outcome plumb_run(Words words, const std::function<void(pid_t)>& while_running = {}) {
  words.insert(words.begin(), program());
  return run_program(words, while_running);
}

inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Returns once the running program wrote `path`, or ended. Polls: what is tested is a state on
// disk, not a time.
inline void wait_for_file(pid_t pid, const std::string& path) {
  const auto is_written = [&] {
    std::error_code absent;
    return std::filesystem::is_directory(path, absent) ||
           (std::filesystem::file_size(path, absent) > 0 && !absent);
  };
  while (kill(pid, 0) == 0 && !is_written())
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

// Made once for the whole program: the quickstart's data and a tiny model, an SFT adapter and a
// reward adapter on it.
struct Workshop {
  std::string root;
  std::string data() const { return root + "/data"; }
  std::string base() const { return root + "/base/model"; }
  std::string sft_adapter() const { return root + "/sft/adapter"; }
  std::string reward_adapter() const { return root + "/reward/adapter"; }
  std::string path(const std::string& name) const { return root + "/" + name; }

  Words common() const { return {"data.store=" + root + "/store", "--quiet", "--threads", "1"}; }
  Words sft(const std::string& out) const {
    return Words{"sft",
                 "model.path=" + base(),
                 "data.path=[" + data() + "/sft.jsonl]",
                 "samples.count=0",
                 "train.batch_size=8",
                 "lora.rank=4",
                 "--out",
                 path(out)} +
           common();
  }
  Words reward(const std::string& out) const {
    return Words{"reward",
                 "model.path=" + base(),
                 "data.path=[" + data() + "/pairs.jsonl]",
                 "train.batch_size=8",
                 "lora.rank=4",
                 "--out",
                 path(out)} +
           common();
  }
  Words ppo(const std::string& out) const {
    return Words{"ppo",
                 "model.path=" + base(),
                 "model.adapter=" + sft_adapter(),
                 "data.path=[" + data() + "/prompts.jsonl]",
                 "train.batch_size=8",
                 "ppo.rollout.response_length=12",
                 "ppo.reward.model=" + reward_adapter(),
                 "train.optimizer.lr=0.001",
                 "--out",
                 path(out)} +
           common();
  }
};

inline void must(const Outcome& outcome) {
  if (outcome.status != 0)
    throw std::runtime_error("status " + std::to_string(outcome.status) + "\n" + outcome.err);
}

inline const Workshop& workshop() {
  static const Workshop shop = [] {
    Workshop made{std::filesystem::absolute(testing::TempDir() + "/plumb_workshop").string()};
    std::filesystem::remove_all(made.root);
    must(plumb_run({"data", "make", made.data()}));
    must(plumb_run(Words{"pretrain", "data.path=[" + made.data() + "/corpus.txt]",
                         "tokenizer.vocab_size=400", "architecture.hidden_size=32",
                         "architecture.intermediate_size=64", "architecture.num_hidden_layers=2",
                         "architecture.num_attention_heads=4", "architecture.num_key_value_heads=2",
                         "architecture.max_position_embeddings=96", "samples.count=0",
                         "train.steps=20", "train.batch_size=16", "train.optimizer.lr=0.01",
                         "--out", made.path("base")} +
                   made.common()));
    must(plumb_run(made.sft("sft") + Words{"train.steps=3"}));
    must(plumb_run(made.reward("reward") + Words{"train.steps=3"}));
    return made;
  }();
  return shop;
}

inline std::vector<Json> metrics_of(const std::string& run) {
  std::vector<Json> rows;
  const std::string text = files::read_file(run + "/metrics.jsonl");
  for (std::size_t start = 0, end; (end = text.find('\n', start)) != std::string::npos;
       start = end + 1) {
    rows.push_back(parse_json(text.substr(start, end - start), run));
  }
  return rows;
}

// What a clock decides differs between runs that are otherwise the same. "eps": episodes a second,
// TRL's name.
inline bool is_timing(const std::string& name) {
  return name == "tokens_per_second" || name == "eps" || name.starts_with("perf/");
}

inline std::vector<Json> without_timing(std::vector<Json> rows) {
  for (auto& row : rows) {
    Json kept = Json::object();
    for (const auto& [name, value] : row.items()) {
      if (!is_timing(name)) kept[name] = value;
    }
    row = kept;
  }
  return rows;
}

}  // namespace plumb::test
