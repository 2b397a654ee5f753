// The supervisor over real processes: shell commands where a rank needs no Comm, dist_rank where it
// does. The bounds are the project's promises, not measurements.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/core/dist/child.h"

namespace plumb {
namespace {

using plumb::testing::Child;
using plumb::testing::ChildEnd;
using plumb::testing::count_of;
using plumb::testing::gone_within;
using plumb::testing::processes_with;
using plumb::testing::unique_mark;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// A failed rank ends the job in so many seconds, and a killed supervisor its ranks in so many.
constexpr double kJobEndsWithin = 5;
constexpr double kRanksGoneWithin = 2;

std::vector<std::string> supervise(int ranks, std::vector<std::string> command) {
  std::vector<std::string> all = {SUPERVISE_PROGRAM, std::to_string(ranks)};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

std::vector<std::string> shell(int ranks, const std::string& script) {
  return supervise(ranks, {"/bin/sh", "-c", script});
}

// Runs to the end; nothing that was started may be left.
ChildEnd run(const std::vector<std::string>& command, std::vector<std::string> variables = {}) {
  const std::string mark = unique_mark();
  variables.push_back(mark);
  Child child(command, variables);
  ChildEnd end = child.finish();
  const std::vector<pid_t> orphans = processes_with(mark);
  EXPECT_TRUE(orphans.empty());
  for (const pid_t orphan : orphans) ::kill(orphan, SIGKILL);
  return end;
}

TEST(Supervisor, AllRanksEndWell) {
  const ChildEnd end = run(shell(3, "echo $RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR; cat"));
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.out, "0 0 3 127.0.0.1\n") << "only rank 0 writes to stdout";
  EXPECT_THAT(end.err, HasSubstr("1 1 3 127.0.0.1\n"));
  EXPECT_THAT(end.err, HasSubstr("2 2 3 127.0.0.1\n"));
}

TEST(Supervisor, ExitCodeOfTheFirstFailureAndNoOrphans) {
  // The second rank's own child, and a rank deaf to SIGTERM, must go too.
  const ChildEnd end = run(shell(3,
                                 "if [ $RANK = 1 ]; then sleep 600 & exit 7; fi;"
                                 "trap '' TERM; while :; do sleep 600; done"));
  EXPECT_EQ(end.exit_code, 7);
  EXPECT_LT(end.seconds, kJobEndsWithin);
  EXPECT_THAT(end.err, ContainsRegex("rank 1 \\(pid [0-9]+\\) ended with exit code 7"));
}

TEST(Supervisor, UnknownProgramIsNamed) {
  const ChildEnd end = run(supervise(2, {"/no/such/program"}));
  EXPECT_EQ(end.exit_code, 127);
  EXPECT_THAT(end.err, HasSubstr("cannot execute /no/such/program"));
}

struct Death {
  const char* mode;
  int exit_code;
  const char* cause;
};

class SupervisorDeath : public ::testing::TestWithParam<Death> {};

TEST_P(SupervisorDeath, NamesRankCauseStepAndCollective) {
  const ChildEnd end = run(supervise(3, {RANK_PROGRAM, GetParam().mode}));
  EXPECT_EQ(end.exit_code, GetParam().exit_code);
  // The whole run, with the loading of LibTorch, stays under the bound for its end.
  EXPECT_LT(end.seconds, kJobEndsWithin);
  EXPECT_THAT(end.err, ContainsRegex(std::string("error rank 2 \\(pid [0-9]+\\) ") +
                                     GetParam().cause + ".* in step 3, phase rollout, last " +
                                     "collective #3 all_reduce_sum; the other ranks are stopped"));
}

INSTANTIATE_TEST_SUITE_P(Causes, SupervisorDeath,
                         ::testing::Values(Death{"kill", 1, "was ended by SIGKILL"},
                                           Death{"segv", 1, "was ended by SIGSEGV"},
                                           Death{"exit3", 3, "ended with exit code 3"},
                                           Death{"throw", 4, "ended with exit code 4"}),
                         [](const auto& info) { return std::string(info.param.mode); });

TEST(Supervisor, RankThatLeavesEarlyIsNamedAsTheCause) {
  const ChildEnd end = run(supervise(2, {RANK_PROGRAM, "leave"}));
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(end.err, ContainsRegex("error rank 0 .*before that, rank 1 \\(pid [0-9]+\\) ended "
                                     "with exit code 0 in step 3"));
}

TEST(Supervisor, StalledRankIsNamedAfterTheTimeout) {
  const ChildEnd end = run(supervise(2, {RANK_PROGRAM, "stall"}), {"TEST_TIMEOUT=3"});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(end.err, ContainsRegex("it waited for rank 1 \\(pid [0-9]+\\), still running in step "
                                     "3, phase rollout"));
}

TEST(Supervisor, PassesSigtermOnAndReturnsInterrupted) {
  Child child(supervise(2, {RANK_PROGRAM, "stop"}));
  ASSERT_TRUE(child.wait_for_err("ready\n", 2)) << child.err();
  child.signal(SIGTERM);
  const ChildEnd end = child.finish();
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_EQ(count_of(end.err, "saved after 1 signal"), 2) << end.err;
  EXPECT_THAT(end.err, Not(HasSubstr("error")));
}

TEST(Supervisor, SavingAfterSigtermHasNoDeadline) {
  // Longer than the grace given after a failure.
  Child child(shell(2,
                    "trap 'sleep 4; echo saved >&2; exit 5' TERM; echo ready >&2;"
                    "while :; do sleep 0.1; done"));
  ASSERT_TRUE(child.wait_for_err("ready\n", 2));
  child.signal(SIGTERM);
  const ChildEnd end = child.finish();
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_EQ(count_of(end.err, "saved\n"), 2) << end.err;
}

TEST(Supervisor, SecondSignalKills) {
  Child child(shell(2, "trap 'echo deaf >&2' TERM; echo ready >&2; while :; do sleep 0.1; done"));
  ASSERT_TRUE(child.wait_for_err("ready\n", 2));
  child.signal(SIGTERM);
  ASSERT_TRUE(child.wait_for_err("deaf\n", 2));
  child.signal(SIGTERM);
  EXPECT_EQ(child.finish().exit_code, 1);
}

TEST(Supervisor, OneInterruptedRankInterruptsAll) {
  const ChildEnd end =
      run(shell(2,
                "if [ $RANK = 0 ]; then sleep 0.3; exit 5; fi;"
                "trap 'echo saved >&2; exit 5' TERM; while :; do sleep 0.1; done"));
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_THAT(end.err, HasSubstr("saved\n"));
}

TEST(Supervisor, KilledSupervisorTakesItsRanksAlong) {
  const std::string mark = unique_mark();
  Child child(supervise(2, {RANK_PROGRAM, "stop"}), {mark});
  ASSERT_TRUE(child.wait_for_err("ready\n", 2)) << child.err();
  EXPECT_EQ(processes_with(mark).size(), 3u);
  child.signal(SIGKILL);
  EXPECT_TRUE(gone_within(mark, kRanksGoneWithin));
  for (const pid_t left : processes_with(mark)) ::kill(left, SIGKILL);
}

}  // namespace
}  // namespace plumb
