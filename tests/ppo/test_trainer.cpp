#include "ppo/ppo_trainer.h"

#include <gmock/gmock.h>

#include <numeric>
#include <thread>

#include "core/dist/rendezvous.h"
#include "core/error.h"
#include "core/train/signals.h"
#include "ppo/checkpoint_tensors.h"
#include "tests/ppo/fixture.h"
#include "tests/ppo/small_world.h"

namespace plumb::test {
namespace {

void expect_same_bits(const SmallWorld& a, const SmallWorld& b) {
  const auto left = a.trained(), right = b.trained();
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(left[i].tensor.equal(right[i].tensor)) << left[i].name;
  }
}

// Wall-clock numbers differ from run to run.
Json without_times(Json row) {
  for (auto it = row.begin(); it != row.end();) {
    const bool is_time = it.key().starts_with("perf/") || it.key() == "eps";
    it = is_time ? row.erase(it) : std::next(it);
  }
  return row;
}

TEST(PpoTrainer, FirstMinibatchOfEveryIterationStartsAtRatioOne) {
  const TestFolder folder;
  SmallWorld world(folder / "prompts.h5");
  SmallRun run(world, RunLog::create(folder.made("run")));
  run.trainer.train();
  const auto rows = read_rows(folder / "run/metrics.jsonl");
  ASSERT_EQ(rows.size(), 3u);
  for (const Json& row : rows) {
    EXPECT_NEAR(row.at("val/ratio_first").get<double>(), 1.0, 1e-5);
    EXPECT_LT(row.at("policy/approxkl_first").get<double>(), 1e-8);
    EXPECT_LT(row.at("sampling/logprob_gap_max").get<double>(), 1e-4);
    EXPECT_EQ(row.at("updates").get<double>(), 8);
    EXPECT_GT(row.at("policy/approxkl_avg").get<double>(), 1e-6) << "the updates move the policy";
  }
  EXPECT_LT(std::abs(rows[0].at("objective/kl").get<double>()), 1e-4) << "policy is the reference";
  EXPECT_NE(rows[1].at("objective/kl").get<double>(), 0.0);
  EXPECT_EQ(rows[2].at("episode").get<double>(), 48);
}

TEST(PpoTrainer, LearnsTheRewardedWord) {
  const TestFolder folder;
  SmallWorld world(folder / "prompts.h5");
  world.job.train.steps = 15;
  world.job.train.batch_size = 32;
  world.job.held_out = &world.held_out;
  SmallRun run(world, RunLog::create(folder.made("run")));
  const TrainResult result = run.trainer.train();
  const auto rows = read_rows(folder / "run/metrics.jsonl");
  // Row 0 is the held-out evaluation before any update, row 1 the first iteration.
  EXPECT_LT(rows[1].at("objective/scores").get<double>(), 0.6);
  // Of 32 responses one score has a standard error of 0.05: five iterations are one reading.
  std::vector<double> scores;
  for (const Json& row : rows) {
    if (row.contains("objective/scores")) {
      scores.push_back(row.at("objective/scores").get<double>());
    }
  }
  ASSERT_EQ(scores.size(), 15u);
  const double late = std::accumulate(scores.end() - 5, scores.end(), 0.0) / 5;
  EXPECT_GT(late, 0.8) << testing::PrintToString(scores);
  EXPECT_GT(value_of(result.last_eval, "eval_objective/scores"), 0.7);
  const auto samples = read_rows(folder / "run/samples.jsonl");
  ASSERT_EQ(samples.size(), 8u) << "four rows before, four after";
  EXPECT_EQ(samples.front().at("prompt"), samples.at(4).at("prompt"));
  EXPECT_THAT(samples.back().at("completion").get<std::string>(), testing::HasSubstr("w"));
}

TEST(PpoTrainer, ResumesWithTheSameBits) {
  const TestFolder folder;
  const auto prepare = [&](SmallWorld& world) {
    world.job.train.steps = 4;
    world.job.train.checkpoint_every = 2;
    world.job.ppo.kl.adaptive = true;
    world.job.ppo.kl.horizon = 100;
    world.job.held_out = &world.held_out;
    world.job.train.eval_every = 2;
  };
  SmallWorld whole(folder / "a.h5");
  prepare(whole);
  SmallRun uninterrupted(whole, RunLog::create(folder.made("whole")), folder / "whole");
  uninterrupted.trainer.train();

  const std::string checkpoint = folder / "whole/checkpoints/step-00000002";
  SmallWorld resumed(folder / "b.h5");
  prepare(resumed);
  std::filesystem::copy(folder / "whole", folder / "resumed",
                        std::filesystem::copy_options::recursive);
  const Checkpoint loaded = load_checkpoint(checkpoint);
  SmallRun run(resumed, RunLog::resume(folder / "resumed", loaded.state.logs), folder / "resumed");
  run.trainer.restore(loaded);
  EXPECT_EQ(run.context.state.step, 2);
  run.trainer.train();

  expect_same_bits(whole, resumed);
  const auto before = read_rows(folder / "whole/metrics.jsonl");
  const auto after = read_rows(folder / "resumed/metrics.jsonl");
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(without_times(before[i]), without_times(after[i])) << "line " << i + 1;
  }
  EXPECT_EQ(files::read_file(folder / "whole/samples.jsonl"),
            files::read_file(folder / "resumed/samples.jsonl"));
}

TEST(PpoTrainer, StopsOnASignalWithACheckpointAndGoesOn) {
  const TestFolder folder;
  SmallWorld whole(folder / "a.h5");
  SmallRun uninterrupted(whole, RunLog::none());
  uninterrupted.trainer.train();

  SmallWorld world(folder / "b.h5");
  {
    SmallRun run(world, RunLog::create(folder.made("run")), folder / "run");
    request_stop();
    try {
      run.trainer.train();
      FAIL() << "must throw";
    } catch (const Error& error) {
      EXPECT_EQ(error.code, Exit::interrupted);
    }
    clear_stop_request();
  }
  const auto latest = latest_checkpoint(folder / "run");
  ASSERT_TRUE(latest.has_value());
  const Checkpoint loaded = load_checkpoint(*latest);
  SmallRun run(world, RunLog::resume(folder / "run", loaded.state.logs), folder / "run");
  run.trainer.restore(loaded);
  run.trainer.train();
  expect_same_bits(whole, world);
}

// Micro-batches change the order of sums, and nothing else.
TEST(PpoTrainer, MicroBatchesDoNotChangeTheResult) {
  const TestFolder folder;
  SmallWorld whole(folder / "a.h5"), divided(folder / "b.h5");
  for (SmallWorld* world : {&whole, &divided}) world->job.train.steps = 1;
  divided.job.train.micro_batch_tokens = 1;
  SmallRun first(whole, RunLog::none()), second(divided, RunLog::none());
  const Metrics a = first.trainer.train().last_train;
  const Metrics b = second.trainer.train().last_train;
  for (const char* name : {"loss/policy_avg", "loss/value_avg", "policy/entropy_avg", "val/ratio",
                           "policy/grad_norm", "val/grad_norm", "objective/entropy"}) {
    EXPECT_NEAR(value_of(a, name), value_of(b, name), 1e-5) << name;
  }
}

// The ranks meet within one process, a thread each.
Metrics run_rank(SmallWorld& world, int rank, int ranks, int port) {
  const auto comm = Comm::create({rank, ranks, rank, "127.0.0.1", port});
  RunLog log = RunLog::none();
  Progress progress("ppo", world.job.train.steps, ProgressStyle::quiet);
  RunContext context{*comm, log, progress, "", "", {}};
  PpoTrainer trainer(world.job, context);
  return trainer.train().last_train;
}

int free_port() {
  const int descriptor = listen_on("127.0.0.1", 0);
  const int port = port_of(descriptor);
  close(descriptor);
  return port;
}

TEST(PpoTrainer, TwoRanksAreOneBatch) {
  const TestFolder folder;
  SmallWorld alone(folder / "a.h5"), left(folder / "b.h5"), right(folder / "c.h5");
  for (SmallWorld* world : {&alone, &left, &right}) {
    world->job.train.steps = 2;
    world->job.ppo.reward.whiten_rewards = true;
    world->job.ppo.compat = "trl";
    world->job.held_out = &world->held_out;
  }
  const Metrics one = run_rank(alone, 0, 1, 0);
  const int port = free_port();
  Metrics two, other;
  std::thread thread([&] { other = run_rank(right, 1, 2, port); });
  two = run_rank(left, 0, 2, port);
  thread.join();
  expect_same_bits(left, right);
  ASSERT_EQ(one.size(), two.size());
  for (const auto& [name, value] : one) {
    if (name.starts_with("perf/") || name == "eps") continue;
    EXPECT_NEAR(value, value_of(two, name), 1e-5 * std::max(1.0, std::abs(value))) << name;
  }
}

TEST(PpoTrainer, StopsAnIterationAtTargetKl) {
  const TestFolder folder;
  SmallWorld world(folder / "a.h5");
  world.job.train.steps = 1;
  world.job.ppo.target_kl = 1e-9;
  SmallRun run(world, RunLog::none());
  const Metrics metrics = run.trainer.train().last_train;
  EXPECT_EQ(value_of(metrics, "updates"), 1.0) << "the first update starts at KL 0 and is made";
}

TEST(PpoTrainer, PolicyWaitsWhileTheCriticWarmsUp) {
  const TestFolder folder;
  SmallWorld world(folder / "a.h5");
  world.job.train.steps = 1;
  world.job.ppo.critic.warmup_iterations = 1;
  const Adapter before = clone(world.policy);
  SmallRun run(world, RunLog::none());
  run.trainer.train();
  const auto was = parameters(before), is = parameters(world.policy);
  for (std::size_t i = 0; i < was.size(); ++i) {
    EXPECT_TRUE(was[i].tensor.equal(is[i].tensor)) << was[i].name;
  }
  EXPECT_GT(world.head.abs().max().item<float>(), 0.0f);
}

TEST(PpoTrainer, NonFiniteRewardEndsTheRunWithTheWeightsAsTheyWere) {
  const TestFolder folder;
  SmallWorld world(folder / "a.h5");
  world.job.terms[0].weight = std::numeric_limits<double>::infinity();
  const Adapter before = clone(world.policy);
  SmallRun run(world, RunLog::none());
  try {
    run.trainer.train();
    FAIL() << "must throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::non_finite);
    EXPECT_THAT(error.what(), testing::HasSubstr("iteration 1"));
  }
  const auto was = parameters(before), is = parameters(world.policy);
  for (std::size_t i = 0; i < was.size(); ++i) EXPECT_TRUE(was[i].tensor.equal(is[i].tensor));
}

TEST(PpoTrainer, RefusesSizesThatDoNotDivide) {
  const TestFolder folder;
  SmallWorld world(folder / "a.h5");
  world.job.ppo.rollout.samples_per_prompt = 3;
  EXPECT_THROW(SmallRun(world, RunLog::none()), Error);
  world.job.ppo.rollout.samples_per_prompt = 1;
  world.job.ppo.num_mini_batches = 17;
  EXPECT_THROW(SmallRun(world, RunLog::none()), Error);
}

}  // namespace
}  // namespace plumb::test
