// What `plumb plan` says before a run against what the run then takes, and what it refuses.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

constexpr double kTolerance = 0.10;
// The heap of an iteration's many short-lived tensors falls out differently from run to run: the
// same work peaked between 644 and 730 MB.
constexpr double kPpoTolerance = 0.15;

// A model large enough that its activations, not the program, decide the peak.
const Words kPretrain = {"architecture.hidden_size=128",
                         "architecture.intermediate_size=352",
                         "architecture.num_hidden_layers=6",
                         "architecture.num_attention_heads=4",
                         "architecture.num_key_value_heads=2",
                         "architecture.max_position_embeddings=96",
                         "train.steps=2",
                         "train.batch_size=320",
                         "train.micro_batch_tokens=12288",
                         "samples.count=0",
                         "tokenizer.vocab_size=400"};

Words pretrain_keys() {
  const auto& shop = workshop();
  return Words{"data.path=[" + shop.data() + "/corpus.txt]",
               "tokenizer.path=" + shop.path("base/tokenizer")} +
         kPretrain;
}

Words common() {
  return {"data.store=" + workshop().root + "/store", "--threads", "1"};
}

Json plan_of(const Words& words) {
  const auto outcome = plumb_run(Words{"plan"} + words + Words{"--json"});
  must(outcome);
  return parse_json(outcome.out, "plan");
}

struct Peaks {
  double planned = 0, measured = 0, share_of_activations = 0;
};

// The job's plan, then the job itself.
Peaks peaks_of(const std::string& job, const Words& keys, const std::string& out) {
  const Json stage = plan_of(Words{job} + keys + common()).at("stages").at(0);
  must(plumb_run(Words{job} + keys + common() + Words{"--out", out, "--quiet"}));
  const Json result = read_json(out + "/result.json");
  Peaks peaks{stage.at("peak_memory_bytes"), result.at("peak_memory_bytes"), 0};
  for (const Json& phase : stage.at("memory")) {
    if (phase.at("phase") != stage.at("peak_phase")) continue;
    peaks.share_of_activations = phase.at("kinds").at("activations").get<double>() / peaks.planned;
  }
  return peaks;
}

void expect_foreseen(const Peaks& peaks, double tolerance = kTolerance) {
  EXPECT_NEAR(peaks.planned / peaks.measured, 1, tolerance)
      << "planned " << peaks.planned / 1e6 << " MB, measured " << peaks.measured / 1e6 << " MB";
  // Else a plan that knew nothing of the model would pass too.
  EXPECT_GT(peaks.share_of_activations, 0.4);
}

// Trained once: later tests start from it.
const std::string& base() {
  static const std::string folder = [] {
    const std::string out = workshop().path("planned_base");
    expect_foreseen(peaks_of("pretrain", pretrain_keys(), out));
    return out + "/model";
  }();
  return folder;
}

TEST(Plan, ForeseesThePeakOfPretraining) {
  EXPECT_FALSE(base().empty());
}

TEST(Plan, ForeseesThePeakOfSftWithLora) {
  const auto& shop = workshop();
  const Words keys = {"model.path=" + base(),
                      "data.path=[" + shop.data() + "/sft.jsonl]",
                      "lora.rank=8",
                      "samples.count=0",
                      "train.steps=3",
                      "train.batch_size=512",
                      "train.micro_batch_tokens=12288"};
  expect_foreseen(peaks_of("sft", keys, shop.path("planned_sft")));
}

TEST(Plan, ForeseesThePeakOfPpo) {
  const auto& shop = workshop();
  const Words keys = {"model.path=" + base(),
                      "data.path=[" + shop.data() + "/prompts.jsonl]",
                      "train.steps=1",
                      "train.batch_size=160",
                      "train.micro_batch_tokens=12288",
                      "ppo.rollout.response_length=40",
                      "ppo.reward.terms=[{kind: length, target: 200, unit: characters}]",
                      "ppo.num_ppo_epochs=1",
                      "ppo.rollout.keep=0"};
  expect_foreseen(peaks_of("ppo", keys, shop.path("planned_ppo")), kPpoTolerance);
}

TEST(Plan, NamesTheLargestMicroBatchThatFits) {
  const Words keys = Words{"pretrain"} + pretrain_keys() +
                     Words{"architecture.hidden_size=4096",
                           "architecture.intermediate_size=11008",
                           "architecture.num_hidden_layers=10",
                           "architecture.num_attention_heads=32",
                           "architecture.num_key_value_heads=8",
                           "architecture.max_position_embeddings=4096",
                           "train.micro_batch_tokens=60000",
                           "--device",
                           "cuda:a100-40g"};
  const auto refused = plumb_run(Words{"plan"} + keys);
  EXPECT_EQ(refused.status, 2) << refused.err;
  const std::string mark = "the largest train.micro_batch_tokens that fits is ";
  const std::size_t at = refused.err.find(mark);
  ASSERT_NE(at, std::string::npos) << refused.err;
  const int64_t largest = std::stoll(refused.err.substr(at + mark.size()));
  const auto with = [&](int64_t tokens) {
    return plumb_run(Words{"plan"} + keys +
                     Words{"train.micro_batch_tokens=" + std::to_string(tokens)})
        .status;
  };
  EXPECT_EQ(with(largest), 0);
  EXPECT_EQ(with(largest + 1), 2);
}

TEST(Plan, SaysWhenNoMicroBatchFits) {
  const auto refused =
      plumb_run(Words{"plan", "pretrain"} + pretrain_keys() +
                Words{"architecture.hidden_size=8192", "architecture.intermediate_size=28672",
                      "architecture.num_hidden_layers=80", "--device", "cuda:rtx4090-24g"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("no train.micro_batch_tokens fits"), std::string::npos) << refused.err;
}

TEST(Plan, CountsUpdatesAndTokensAsTheRunDoes) {
  const auto& shop = workshop();
  const Words job = shop.sft("plan_counts") + Words{"train.epochs=0.2"};
  must(plumb_run(job));
  Words keys(job.begin() + 1, job.end());
  std::erase(keys, "--quiet");
  const Json stage = plan_of(Words{"sft", "--device", "cuda:h100-80g"} + keys).at("stages").at(0);
  const Json last = metrics_of(shop.path("plan_counts")).back();
  EXPECT_EQ(stage.at("updates").get<double>(), last.at("step").get<double>());
  EXPECT_EQ(stage.at("tokens").get<double>(), last.at("num_tokens").get<double>());
}

TEST(Plan, ChainsStagesWhoseModelsAreNotThereYet) {
  const Json plan = plan_of({"recipes/quickstart.yaml", "--device", "cuda:h100-80g", "--out",
                             workshop().path("never_run")});
  std::vector<std::string> names;
  for (const Json& stage : plan.at("stages")) {
    names.push_back(stage.at("name"));
    EXPECT_TRUE(stage.at("fits").get<bool>());
    EXPECT_GT(stage.at("updates").get<double>(), 0);
    EXPECT_GT(stage.at("seconds").get<double>(), 0);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"base", "sft", "reward", "ppo"}));
  EXPECT_FALSE(files::exists(workshop().path("never_run")));
}

}  // namespace
}  // namespace plumb::test
