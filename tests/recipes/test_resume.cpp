// A run that was killed and resumed ends with the bits of one that was not, and every step stands
// once in its logs.
#include <gtest/gtest.h>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

std::function<void(pid_t)> signal_at_file(int signal_number, const std::string& path) {
  return [=](pid_t pid) {
    wait_for_file(pid, path);
    kill(pid, signal_number);
  };
}

void expect_same_files(const std::string& a, const std::string& b,
                       const std::vector<std::string>& names) {
  for (const auto& name : names) {
    EXPECT_EQ(files::read_file(a + "/" + name), files::read_file(b + "/" + name)) << name;
  }
}

using MakeJob = std::function<Words(const std::string& out)>;

void expect_resume_is_exact(const std::string& name, const MakeJob& job,
                            const std::vector<std::string>& results) {
  const auto& shop = workshop();
  const auto calm = job(name + "_calm"), killed = job(name + "_killed");
  must(plumb_run(calm));
  const auto outcome = plumb_run(
      killed, signal_at_file(SIGKILL, shop.path(name + "_killed") + "/checkpoints/step-00000004"));
  ASSERT_EQ(outcome.status, 128 + SIGKILL) << "the run ended before it could be killed\n"
                                           << outcome.err;
  must(plumb_run(killed + Words{"--resume"}));
  const auto a = shop.path(name + "_calm"), b = shop.path(name + "_killed");
  expect_same_files(a, b, results);
  EXPECT_EQ(without_timing(metrics_of(a)), without_timing(metrics_of(b)));
  // Events hold a clock's values, but as many bytes for each.
  EXPECT_EQ(std::filesystem::file_size(a + "/events.out.tfevents.plumb"),
            std::filesystem::file_size(b + "/events.out.tfevents.plumb"));
  // Finished is finished: another resume changes nothing.
  const auto before = files::read_file(b + "/metrics.jsonl");
  must(plumb_run(killed + Words{"--resume"}));
  EXPECT_EQ(files::read_file(b + "/metrics.jsonl"), before);
}

TEST(Resume, SftWithAccumulationIsExact) {
  expect_resume_is_exact("sft",
                         [](const std::string& out) {
                           return workshop().sft(out) +
                                  Words{"train.steps=60", "train.checkpoint_every=2",
                                        "train.micro_batch_tokens=60", "lora.dropout=0.1"};
                         },
                         {"adapter/adapter_model.safetensors"});
}

TEST(Resume, RewardIsExact) {
  expect_resume_is_exact(
      "reward",
      [](const std::string& out) {
        return workshop().reward(out) + Words{"train.steps=60", "train.checkpoint_every=2"};
      },
      {"adapter/adapter_model.safetensors", "adapter/reward.json"});
}

TEST(Resume, PpoIsExact) {
  expect_resume_is_exact(
      "ppo",
      [](const std::string& out) {
        return workshop().ppo(out) + Words{"train.steps=30", "train.checkpoint_every=2",
                                           "ppo.kl.adaptive=true", "ppo.num_mini_batches=2"};
      },
      {"adapter/adapter_model.safetensors", "critic/adapter_model.safetensors", "samples.jsonl"});
}

TEST(Resume, AnotherRecipeIsRefusedWithItsDifferences) {
  const auto& shop = workshop();
  const auto job = shop.sft("changed") + Words{"train.checkpoint_every=1"};
  must(plumb_run(job + Words{"train.steps=2"}));
  std::filesystem::remove(shop.path("changed") + "/result.json");
  const auto outcome =
      plumb_run(job + Words{"train.steps=2", "train.optimizer.lr=0.5", "--resume"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("train.optimizer.lr"), std::string::npos) << outcome.err;
}

TEST(Resume, ADamagedCheckpointIsNamed) {
  const auto& shop = workshop();
  const auto job = shop.sft("damaged") + Words{"train.steps=2", "train.checkpoint_every=1"};
  must(plumb_run(job));
  std::filesystem::remove(shop.path("damaged") + "/result.json");
  const std::string file = shop.path("damaged") + "/checkpoints/step-00000002/tensors.safetensors";
  std::string bytes = files::read_file(file);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  files::publish(file, bytes);
  const auto outcome = plumb_run(job + Words{"--resume"});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("tensors.safetensors"), std::string::npos) << outcome.err;
}

void expect_interrupt_is_exact(const std::string& name, const Words& settings) {
  const auto& shop = workshop();
  const auto calm = shop.sft(name + "_calm") + settings, job = shop.sft(name) + settings;
  must(plumb_run(calm));
  const auto outcome =
      plumb_run(job, signal_at_file(SIGTERM, shop.path(name) + "/checkpoints/step-00000002"));
  EXPECT_EQ(outcome.status, 5) << outcome.err;
  EXPECT_LT(metrics_of(shop.path(name)).back()["step"], 60);
  must(plumb_run(job + Words{"--resume"}));
  expect_same_files(shop.path(name + "_calm"), shop.path(name),
                    {"adapter/adapter_model.safetensors"});
}

TEST(Interrupt, SigtermSavesACheckpointAndTheRunGoesOn) {
  expect_interrupt_is_exact("interrupted", {"train.steps=60", "train.checkpoint_every=2"});
}

TEST(Interrupt, OfTwoRanksToo) {
  expect_interrupt_is_exact("interrupted2",
                            {"train.steps=60", "train.checkpoint_every=2", "--ranks", "2"});
}

// What a run that died before its first checkpoint left must not reach the next one.
TEST(Resume, WithoutACheckpointTheRunStartsOver) {
  const auto& shop = workshop();
  const auto job = shop.sft("early");
  const auto killed = plumb_run(job + Words{"train.steps=1000", "train.checkpoint_every=0"},
                                signal_at_file(SIGKILL, shop.path("early") + "/metrics.jsonl"));
  ASSERT_EQ(killed.status, 128 + SIGKILL) << killed.err;
  must(plumb_run(job + Words{"train.steps=2", "--resume"}));
  EXPECT_EQ(metrics_of(shop.path("early")).size(), 2u);
  EXPECT_NE(files::read_file(shop.path("early") + "/recipe.yaml").find("steps: 2"),
            std::string::npos);
}

TEST(Overwrite, MakesAllAnew) {
  const auto& shop = workshop();
  const auto pretrain = [&](const std::string& vocab_size) {
    return plumb_run(Words{"pretrain", "data.path=[" + shop.data() + "/corpus.txt]",
                           "tokenizer.vocab_size=" + vocab_size, "architecture.hidden_size=16",
                           "architecture.intermediate_size=16", "architecture.num_hidden_layers=1",
                           "architecture.num_attention_heads=2",
                           "architecture.num_key_value_heads=2", "samples.count=0", "train.steps=1",
                           "train.batch_size=2", "--out", shop.path("anew"), "--overwrite"} +
                     shop.common());
  };
  must(pretrain("300"));
  must(pretrain("320"));
  EXPECT_EQ(read_json(shop.path("anew") + "/model/config.json")["vocab_size"], 320);
}

}  // namespace
}  // namespace plumb::test
