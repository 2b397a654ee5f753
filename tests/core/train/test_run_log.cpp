#include "core/train/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "core/train/run_folder.h"
#include "tests/core/train/temporary_folder.h"

namespace plumb {
namespace {

using testing::HasSubstr;

std::string read(const TemporaryFolder& folder, const std::string& name) {
  return files::read_file(folder / name);
}

TEST(RunLog, WritesALineAStepInOrderAndShortest) {
  TemporaryFolder folder;
  RunLog log = RunLog::create(folder.path());
  log.metrics(1, {{"loss", 0.1}, {"learning_rate", 3e-5}, {"num_tokens", 4096}});
  log.metrics(2, {{"loss", std::numeric_limits<double>::quiet_NaN()}, {"zeta", 1.0 / 3}});
  EXPECT_EQ(read(folder, "metrics.jsonl"),
            "{\"step\":1,\"loss\":0.1,\"learning_rate\":3e-05,\"num_tokens\":4096}\n"
            "{\"step\":2,\"loss\":null,\"zeta\":0.3333333333333333}\n");
}

TEST(RunLog, TagsAreThoseOfTransformers) {
  TemporaryFolder folder;
  RunLog log = RunLog::create(folder.path());
  log.metrics(1, {{"loss", 1}, {"eval_loss", 2}, {"objective/kl", 3}});
  const std::string events = read(folder, kEventsFile);
  EXPECT_THAT(events, HasSubstr("train/loss"));
  EXPECT_THAT(events, HasSubstr("eval/loss"));
  EXPECT_THAT(events, HasSubstr("train/objective/kl"));
}

TEST(RunLog, ResumeCutsWhatCameAfterTheCheckpoint) {
  TemporaryFolder folder;
  LogSizes sizes;
  std::string metrics, events, samples;
  {
    RunLog log = RunLog::create(folder.path());
    log.metrics(1, {{"loss", 4}});
    log.sample({{"step", 1}, {"prompt", "a"}, {"completion", "b"}});
    sizes = log.sync();
    metrics = read(folder, "metrics.jsonl");
    events = read(folder, kEventsFile);
    samples = read(folder, "samples.jsonl");
    log.metrics(2, {{"loss", 3}});
    log.sample({{"step", 2}, {"prompt", "a"}, {"completion", "c"}});
  }
  EXPECT_NE(read(folder, "metrics.jsonl"), metrics);
  RunLog log = RunLog::resume(folder.path(), sizes);
  EXPECT_EQ(read(folder, "metrics.jsonl"), metrics);
  EXPECT_EQ(read(folder, kEventsFile), events);
  EXPECT_EQ(read(folder, "samples.jsonl"), samples);
  log.metrics(2, {{"loss", 3}});
  EXPECT_EQ(read(folder, "metrics.jsonl"), metrics + "{\"step\":2,\"loss\":3}\n");
}

TEST(RunLog, OtherRanksWriteNothing) {
  RunLog log = RunLog::none();
  log.metrics(1, {{"loss", 4}});
  log.sample({{"step", 1}});
  EXPECT_EQ(log.sync().metrics, 0u);
}

TEST(RunFolder, RefusesARunUnlessToldWhatToDo) {
  TemporaryFolder parent;
  const std::string folder = parent / "out/sft";
  open_run_folder(folder, RunMode::fresh, "a: 1\n");
  EXPECT_EQ(files::read_file(folder + "/recipe.yaml"), "a: 1\n");
  try {
    open_run_folder(folder, RunMode::fresh, "a: 2\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::usage);
    EXPECT_THAT(error.what(), HasSubstr("--resume"));
  }
  open_run_folder(folder, RunMode::resume, "a: 2\n");
  EXPECT_EQ(files::read_file(folder + "/recipe.yaml"), "a: 1\n");
}

TEST(RunFolder, ARunThatDidNotBeginLeavesNothingOfItsOwn) {
  TemporaryFolder parent;
  const std::string folder = parent / "out";
  open_run_folder(folder, RunMode::fresh, "a: 1\n");
  write_data_accounting(folder, Json::object());
  undo_run_folder(folder);
  EXPECT_FALSE(files::exists(folder));
  open_run_folder(folder, RunMode::fresh, "a: 1\n");
  files::publish(folder + "/notes.txt", "mine");
  undo_run_folder(folder);
  EXPECT_FALSE(holds_run(folder));
  EXPECT_TRUE(files::exists(folder + "/notes.txt"));
}

TEST(RunFolder, OverwriteRemovesTheRunAndNothingElse) {
  TemporaryFolder folder;
  open_run_folder(folder.path(), RunMode::fresh, "a: 1\n");
  files::create_directories(folder / "checkpoints/step-00000001");
  files::publish(folder / "notes.txt", "mine");
  files::publish(folder / "result.json", "{}");
  RunLog::create(folder.path()).metrics(1, {{"loss", 1}});
  open_run_folder(folder.path(), RunMode::overwrite, "a: 2\n");
  EXPECT_EQ(files::read_file(folder / "recipe.yaml"), "a: 2\n");
  EXPECT_FALSE(files::exists(folder / "checkpoints"));
  EXPECT_FALSE(files::exists(folder / "result.json"));
  EXPECT_FALSE(files::exists(folder / "metrics.jsonl"));
  EXPECT_EQ(files::read_file(folder / "notes.txt"), "mine");
}

}  // namespace
}  // namespace plumb
