// Settings that must not change the result, and states that must hold, through the binary
// (aesthetics of TRL's tests/invariant: configurations that must give one trajectory).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/io/safetensors.h"
#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

void expect_same_trajectory(const std::string& a, const std::string& b, const std::string& key,
                            double tolerance) {
  const auto left = metrics_of(a), right = metrics_of(b);
  ASSERT_EQ(left.size(), right.size());
  int compared = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!left[i].contains(key)) continue;
    EXPECT_NEAR(left[i][key].get<double>(), right[i][key].get<double>(), tolerance) << "line " << i;
    ++compared;
  }
  EXPECT_GT(compared, 2);
}

TEST(Invariants, MicroBatchesDoNotChangeTheTrajectory) {
  const auto& shop = workshop();
  must(
      plumb_run(shop.sft("one_micro") + Words{"train.steps=4", "train.micro_batch_tokens=100000"}));
  must(plumb_run(shop.sft("many_micro") + Words{"train.steps=4", "train.micro_batch_tokens=1"}));
  expect_same_trajectory(shop.path("one_micro"), shop.path("many_micro"), "loss", 1e-5);
  expect_same_trajectory(shop.path("one_micro"), shop.path("many_micro"), "grad_norm", 1e-4);
}

TEST(Invariants, TwoRanksGiveTheLossesOfOne) {
  const auto& shop = workshop();
  for (const bool reward : {false, true}) {
    const std::string name = reward ? "reward_rank" : "sft_rank";
    const auto job = [&](const std::string& out) {
      return reward ? shop.reward(out) : shop.sft(out);
    };
    must(plumb_run(job(name + "1") + Words{"train.steps=4"}));
    must(plumb_run(job(name + "2") + Words{"train.steps=4", "--ranks", "2"}));
    expect_same_trajectory(shop.path(name + "1"), shop.path(name + "2"), "loss", 1e-5);
  }
}

TEST(Invariants, PpoOnTwoRanksGivesTheScoresOfOne) {
  const auto& shop = workshop();
  must(plumb_run(shop.ppo("ppo_rank1") + Words{"train.steps=3"}));
  must(plumb_run(shop.ppo("ppo_rank2") + Words{"train.steps=3", "--ranks", "2"}));
  expect_same_trajectory(shop.path("ppo_rank1"), shop.path("ppo_rank2"), "objective/scores", 1e-3);
  expect_same_trajectory(shop.path("ppo_rank1"), shop.path("ppo_rank2"), "loss/policy_avg", 1e-4);
}

TEST(Invariants, PpoStartsOnPolicyAndAtTheReference) {
  const auto& shop = workshop();
  must(plumb_run(shop.ppo("ppo_first") + Words{"train.steps=3"}));
  const auto rows = metrics_of(shop.path("ppo_first"));
  int iterations = 0;
  for (const auto& row : rows) {
    if (!row.contains("val/ratio_first")) continue;
    EXPECT_NEAR(row["val/ratio_first"].get<double>(), 1, 1e-5);
    EXPECT_LT(row["policy/approxkl_first"].get<double>(), 1e-8);
    EXPECT_LT(row["sampling/logprob_gap_max"].get<double>(), 1e-4);
    // Nothing was updated before the first rollout: policy and reference are one adapter.
    if (iterations == 0) {
      EXPECT_NEAR(row["objective/kl"].get<double>(), 0, 1e-5);
    }
    ++iterations;
  }
  EXPECT_EQ(iterations, 3);
}

using Logits = std::vector<std::vector<double>>;

Logits logits_of(const Words& model) {
  const auto outcome = plumb_run(Words{"logits"} + model + Words{"--ids", "1 5 9 12 40", "--json"});
  must(outcome);
  return parse_json(outcome.out, "logits")["logits"].get<Logits>();
}

// LoRA starts with B = 0 (Hu et al. 2021, section 4.1): the base itself.
TEST(Invariants, LoraStartsAsTheBase) {
  const auto& shop = workshop();
  must(plumb_run(shop.sft("lora_start") + Words{"train.steps=3"}));
  must(plumb_run(shop.sft("full_start") + Words{"train.steps=3", "lora.rank=0"}));
  const auto lora = metrics_of(shop.path("lora_start")), full = metrics_of(shop.path("full_start"));
  EXPECT_NEAR(lora[0]["loss"].get<double>(), full[0]["loss"].get<double>(), 1e-6);
}

TEST(Invariants, AnAdapterWithoutBIsTheBase) {
  const auto& shop = workshop();
  const std::string folder = shop.path("zero_b");
  std::filesystem::copy(shop.sft_adapter(), folder);
  const std::string file = folder + "/adapter_model.safetensors";
  const auto tensors = SafetensorsFile::open(file);
  std::string bytes = files::read_file(file);
  for (const auto& entry : tensors.entries()) {
    if (entry.name.find("lora_B") == std::string::npos) continue;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(entry.begin), entry.bytes(), '\0');
  }
  files::publish(file, bytes);
  EXPECT_EQ(logits_of({shop.base(), "--adapter", folder}), logits_of({shop.base()}));
}

TEST(Invariants, MergedModelHasTheAdaptersLogits) {
  const auto& shop = workshop();
  must(plumb_run(
      {"merge", shop.base(), "--adapter", shop.sft_adapter(), "--out", shop.path("merged")}));
  const auto merged = logits_of({shop.path("merged")});
  const auto applied = logits_of({shop.base(), "--adapter", shop.sft_adapter()});
  const auto base = logits_of({shop.base()});
  double moved = 0;
  for (std::size_t t = 0; t < merged.size(); ++t) {
    for (std::size_t v = 0; v < merged[t].size(); ++v) {
      EXPECT_NEAR(merged[t][v], applied[t][v], 1e-4);
      moved = std::max(moved, std::abs(applied[t][v] - base[t][v]));
    }
  }
  EXPECT_GT(moved, 1e-3);
}

TEST(Invariants, AScoreDoesNotDependOnItsBatch) {
  const auto& shop = workshop();
  const auto score = [&](const Words& more) {
    const auto outcome =
        plumb_run(Words{"score", shop.base(), "--reward", shop.reward_adapter(), "--json"} + more);
    must(outcome);
    return parse_json(outcome.out, "score")["scores"].get<std::vector<double>>();
  };
  const auto alone = score({"--text", "The fox eats berries."});
  const auto among = score({"--text", "A hen.", "--text", "The fox eats berries.", "--text",
                            "Where does the owl live?"});
  ASSERT_EQ(among.size(), 3u);
  EXPECT_NEAR(alone[0], among[1], 1e-5);
}

}  // namespace
}  // namespace plumb::test
