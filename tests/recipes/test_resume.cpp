// A run that was killed and resumed ends with the bits of one that was not, and every step stands
// once in its logs.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

// Kills the process once `path` is there. Polls: what is tested is the state on disk, not a time.
std::function<void(pid_t)> kill_when_exists(const std::string& path) {
  return [path](pid_t pid) {
    while (kill(pid, 0) == 0 && !files::exists(path))
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    kill(pid, SIGKILL);
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
      killed, kill_when_exists(shop.path(name + "_killed") + "/checkpoints/step-00000004"));
  ASSERT_EQ(outcome.status, 128 + SIGKILL) << "the run ended before it could be killed\n"
                                           << outcome.err;
  must(plumb_run(killed + Words{"--resume"}));
  const auto a = shop.path(name + "_calm"), b = shop.path(name + "_killed");
  expect_same_files(a, b, results);
  EXPECT_EQ(without_timing(metrics_of(a)), without_timing(metrics_of(b)));
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

TEST(Interrupt, SigtermSavesACheckpointAndTheRunGoesOn) {
  const auto& shop = workshop();
  const auto job = shop.sft("interrupted") + Words{"train.steps=60", "train.checkpoint_every=2"};
  const auto outcome = plumb_run(job, [&](pid_t pid) {
    const auto first = shop.path("interrupted") + "/checkpoints/step-00000002";
    while (kill(pid, 0) == 0 && !files::exists(first))
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    kill(pid, SIGTERM);
  });
  EXPECT_EQ(outcome.status, 5) << outcome.err;
  must(plumb_run(job + Words{"--resume"}));
  EXPECT_EQ(metrics_of(shop.path("interrupted")).back()["step"], 60);
}

}  // namespace
}  // namespace plumb::test
