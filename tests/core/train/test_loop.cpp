#include "core/train/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <sstream>
#include <thread>

#include "core/dist/rendezvous.h"
#include "core/error.h"
#include "core/train/signals.h"
#include "tests/core/train/regression_job.h"
#include "tests/core/train/temporary_folder.h"

namespace plumb {
namespace {

TrainOptions options_for_test() {
  TrainOptions options;
  options.optimizer.lr = 0.05;
  options.optimizer.weight_decay = 0.01;
  options.schedule.warmup_steps = 2;
  options.log_every = 3;
  options.eval_every = 4;
  options.checkpoint_every = 5;
  return options;
}

// A run as a job would set it up.
struct Session {
  explicit Session(Regression given, int64_t steps, const std::string& folder = "",
                   const RankEnv& env = {})
      : comm(Comm::create(env)),
        regression(std::move(given)),
        job(regression.job(steps)),
        optimizer(regression.parameters(), options.optimizer),
        log(folder.empty() ? RunLog::none() : RunLog::create(folder)),
        context{*comm, log, progress, folder, "train:\n  steps: 12\n", {}} {
    context.state.identity = run_identity(*comm, "plan");
  }

  TrainResult go() { return train(job, options, optimizer, context); }

  void resume_from(const std::string& folder) {
    const Checkpoint checkpoint = load_checkpoint(folder);
    restore(checkpoint, optimizer, context);
    log = RunLog::resume(context.run_folder, context.state.logs);
  }

  std::unique_ptr<Comm> comm;
  Regression regression;
  TrainOptions options = options_for_test();
  SupervisedJob job;
  AdamW optimizer;
  RunLog log;
  Progress progress{"test", 12, ProgressStyle::quiet};
  RunContext context;
};

double value_of(const Metrics& metrics, const std::string& name) {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

// Lines of metrics.jsonl without what a clock decides.
std::vector<Json> lines_without_time(const std::string& path) {
  std::vector<Json> rows;
  std::istringstream text(files::read_file(path));
  for (std::string line; std::getline(text, line);) {
    Json row = parse_json(line, path);
    row.erase("tokens_per_second");
    rows.push_back(row);
  }
  return rows;
}

TEST(Loop, LearnsAndReports) {
  Session session(Regression{}, 60);
  const TrainResult result = session.go();
  EXPECT_EQ(result.step, 60);
  EXPECT_LT(value_of(result.last_train, "loss"), 0.7);
  EXPECT_DOUBLE_EQ(value_of(result.last_train, "rows_a_row"), 1.0);
  EXPECT_NEAR(value_of(result.last_eval, "eval_root"),
              std::sqrt(value_of(result.last_eval, "eval_loss")), 1e-12);
  EXPECT_DOUBLE_EQ(value_of(result.last_train, "epoch"), 15.0);
}

// Accumulation is normalised by the real count: any split of the batch is the same update.
TEST(Loop, OneTimesEightIsEightTimesOne) {
  Regression whole, ones, ragged;
  ones.micro_batch = 1;
  ragged.micro_batch = 3;
  Session a(whole, 6), b(ones, 6), c(ragged, 6);
  const double loss = value_of(a.go().last_train, "loss");
  EXPECT_NEAR(value_of(b.go().last_train, "loss"), loss, 1e-6 * loss);
  EXPECT_NEAR(value_of(c.go().last_train, "loss"), loss, 1e-6 * loss);
  EXPECT_TRUE(at::allclose(whole.weight, ones.weight, 1e-5, 1e-7));
  EXPECT_TRUE(at::allclose(whole.weight, ragged.weight, 1e-5, 1e-7));
}

// Two ranks as two threads over loopback. Returns the message of each rank's error, or "".
std::vector<std::string> run_two_ranks(std::vector<Regression>& ranks, int64_t steps,
                                       std::vector<double>& losses) {
  const int listener = listen_on("127.0.0.1", 0);
  const int port = port_of(listener);
  close(listener);
  std::vector<std::string> errors(2);
  losses.assign(2, 0);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ranks[rank].rank = rank;
        ranks[rank].ranks = 2;
        Session session(ranks[rank], steps, "", {rank, 2, rank, "127.0.0.1", port});
        losses[rank] = value_of(session.go().last_train, "loss");
      } catch (const Error& error) {
        errors[rank] = error.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

TEST(Loop, TwoRanksAreOneRank) {
  Regression alone;
  Session session(alone, 6);
  const double loss = value_of(session.go().last_train, "loss");
  std::vector<Regression> ranks(2);
  std::vector<double> losses;
  EXPECT_THAT(run_two_ranks(ranks, 6, losses), testing::ElementsAre("", ""));
  EXPECT_NEAR(losses[0], loss, 1e-6 * loss);
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_TRUE(at::equal(ranks[0].weight, ranks[1].weight));
  EXPECT_TRUE(at::allclose(alone.weight, ranks[0].weight, 1e-5, 1e-7));
}

TEST(Loop, AllRanksStopAtANonFiniteLoss) {
  std::vector<Regression> ranks(2);
  for (Regression& regression : ranks) regression.poisoned = 15;  // of rank 1, in the second step
  std::vector<double> losses;
  const auto errors = run_two_ranks(ranks, 6, losses);
  EXPECT_THAT(errors[0], testing::HasSubstr("step 2: rank 1: the loss is NaN on samples 12, 13"));
  EXPECT_EQ(errors[0], errors[1]);
  EXPECT_TRUE(at::equal(ranks[0].weight, ranks[1].weight));
}

void expect_untouched_after_failure(Regression regression, const std::string& words) {
  Session session(regression, 12);
  session.job.total_steps = 2;  // two good updates first
  session.options.schedule.warmup_steps = 0;
  session.go();
  session.job.total_steps = 12;
  const at::Tensor weight = regression.weight.detach().clone();
  std::vector<NamedTensor> state;
  for (const auto& [name, tensor] : session.optimizer.state()) {
    state.push_back({name, tensor.clone()});
  }
  try {
    session.go();
    FAIL() << "a loss that is not finite went through";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::non_finite);
    EXPECT_THAT(error.what(), testing::HasSubstr(words));
    EXPECT_THAT(error.what(), testing::HasSubstr("step 3"));
  }
  EXPECT_TRUE(at::equal(weight, regression.weight.detach()));
  const auto after = session.optimizer.state();
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(at::equal(after[i].tensor, state[i].tensor)) << after[i].name;
  }
}

TEST(Loop, NonFiniteLossLeavesTheWeights) {
  Regression regression;
  regression.micro_batch = 2;
  regression.poisoned = 21;  // in the third batch, its third micro-batch
  expect_untouched_after_failure(regression, "samples 20, 21 (all trained tensors are finite)");
}

TEST(Loop, NonFiniteGradientLeavesTheWeights) {
  Regression regression;
  regression.poisoned = 17;
  regression.poison_gradient = true;
  expect_untouched_after_failure(regression, "the gradient of 'weight' is not finite");
}

TEST(Loop, NonFiniteWeightIsNamed) {
  Session session(Regression{}, 3);
  {
    at::NoGradGuard no_grad;
    session.regression.bias[1] = std::nan("");
  }
  try {
    session.go();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'bias' is not finite"));
  }
}

TEST(Loop, ResumedRunEndsWithTheSameBits) {
  TemporaryFolder one, two;
  Regression straight, split;
  straight.micro_batch = split.micro_batch = 3;
  Session whole(straight, 12, one.path());
  whole.go();

  {
    Session killed(split, 12, two.path());
    killed.job.micro_batches = [inner = killed.job.micro_batches](int64_t step) {
      if (step == 8) throw std::runtime_error("killed");  // after a log line past the checkpoint
      return inner(step);
    };
    EXPECT_THROW(killed.go(), std::runtime_error);
  }
  Regression fresh;
  fresh.micro_batch = 3;
  Session resumed(fresh, 12, "");
  resumed.context.run_folder = two.path();
  resumed.resume_from(*latest_checkpoint(two.path()));
  EXPECT_EQ(resumed.context.state.step, 5);
  resumed.go();

  EXPECT_TRUE(at::equal(straight.weight, fresh.weight));
  EXPECT_TRUE(at::equal(straight.bias, fresh.bias));
  const auto a = whole.optimizer.state(), b = resumed.optimizer.state();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor));
  // Each step stands once, the lines that the killed run wrote after its checkpoint are gone.
  EXPECT_EQ(lines_without_time(one / "metrics.jsonl"), lines_without_time(two / "metrics.jsonl"));
}

TEST(Loop, StopRequestSavesACheckpoint) {
  TemporaryFolder folder;
  Session session(Regression{}, 12, folder.path());
  session.job.micro_batches = [inner = session.job.micro_batches](int64_t step) {
    if (step == 6) request_stop();
    return inner(step);
  };
  try {
    session.go();
    FAIL() << "did not stop";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::interrupted);
    EXPECT_THAT(error.what(), testing::HasSubstr("after step 7"));
  }
  clear_stop_request();
  EXPECT_THAT(*latest_checkpoint(folder.path()), testing::EndsWith("step-00000007"));
}

TEST(Loop, BatchWithNothingToTrainOnIsAnError) {
  Session session(Regression{}, 3);
  session.job.micro_batches = [](int64_t) { return std::vector<MicroBatch>{}; };
  EXPECT_THROW(session.go(), Error);
}

}  // namespace
}  // namespace plumb
