// PPO takes iterations on kernels and on the CPU's loops: the same tokens for the same seed, and
// the same updates.
#include <gtest/gtest.h>

#include "tests/simt/jobs/small_runs.h"
#include "tests/simt/tensors/tensor_memory.h"

namespace plumb::test {
namespace {

using Worlds = std::vector<std::unique_ptr<SmallWorld>>;

ReadyRun ready(SmallWorld& world) {
  return {world.trained(), [&world](const std::string& folder) {
            world.job.held_out = &world.held_out;  // its completions go into samples.jsonl
            SmallRun run(world, RunLog::create(folder));
            run.trainer.train();
          }};
}

TEST(PpoOnKernels, DrawsTheCpusTokensAndMakesItsUpdates) {
  const TestFolder folder;
  Worlds worlds;
  const BothPaths both = run_both(folder, [&] {
    worlds.push_back(std::make_unique<SmallWorld>(folder / "prompts.h5"));
    SmallWorld& world = *worlds.back();
    world.job.train.steps = 2;
    world.job.train.batch_size = 8;
    world.job.ppo.num_ppo_epochs = 2;
    world.job.ppo.rollout.response_length = 6;
    world.job.ppo.entropy_coef = 0.01;
    world.job.ppo.reward.whiten_rewards = true;
    return ready(world);
  });
  EXPECT_EQ(files::read_file(folder / "cpu/samples.jsonl"),
            files::read_file(folder / "kernels/samples.jsonl"));
  expect_same_metric(both, "objective/scores", 0);  // of the words drawn: equal when all tokens are
  expect_same_metric(both, "objective/kl", 1e-3, 1e-5);
  expect_same_metric(both, "objective/entropy", 1e-5);
  expect_same_metric(both, "loss/policy_avg", 1e-3, 1e-5);
  expect_same_metric(both, "loss/value_avg", 1e-4);
  expect_same_metric(both, "val/ratio_first", 1e-5);
  expect_same_updates(both, 5e-3);
  expect_launched(both, {"sample_tokens", "cache_write", "decode_attention", "head_stats",
                         "policy_head", "value_loss", "gae", "moments", "whiten", "kl_rewards",
                         "low_rank_forward", "low_rank_backward", "grad_norm", "adamw"});
}

// Rollouts from a base in int8 and NF4. A CPU rounds to other formats, so what they must be near is
// what is trained: the sampler's log-probabilities differ from the training forward's by the
// formats' own rounding, on two layers of weights of this size.
struct NarrowRollout {
  const char* weights;
  double gap;  // most that a log-probability may be off
  std::vector<std::string> entries;
};
class PpoFromNarrowWeights : public testing::TestWithParam<NarrowRollout> {};

TEST_P(PpoFromNarrowWeights, DrawsFromNearlyThePolicy) {
  const TestFolder folder;
  const simt::UseHarness harness;
  simt::set_tensor_element(1);  // neighbouring threads write neighbouring codes
  const auto before = simt::launch_counts();
  SmallWorld world(folder / "prompts.h5");
  world.job.train.steps = 1;
  world.job.train.batch_size = 4;
  world.job.ppo.num_ppo_epochs = 1;
  world.job.ppo.rollout.response_length = 4;
  world.job.ppo.rollout.weights = GetParam().weights;
  SmallRun run(world, RunLog::create(folder.made("run")));
  run.trainer.train();
  simt::set_tensor_element(4);
  const auto rows = read_rows(folder / "run/metrics.jsonl");
  const double gap = rows.at(0).at("sampling/logprob_gap_max");
  EXPECT_GT(gap, 1e-4) << "the base was not narrowed";
  EXPECT_LT(gap, GetParam().gap);
  for (const std::string& entry : GetParam().entries) {
    EXPECT_GT(simt::launch_counts().at(entry), before.at(entry)) << entry;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats, PpoFromNarrowWeights,
    testing::Values(NarrowRollout{"int8", 0.25, {"int8_quantise", "int8_gemv"}},
                    NarrowRollout{"nf4", 0.8, {"nf4_quantise", "nf4_gemv"}}),
    [](const auto& format) { return std::string(format.param.weights); });

}  // namespace
}  // namespace plumb::test
