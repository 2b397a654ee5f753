// Comm over real processes: dist_rank under the supervisor, or with torchrun's variables by hand.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "core/dist/comm.h"
#include "core/dist/rendezvous.h"
#include "core/error.h"
#include "tests/core/dist/child.h"

namespace plumb {
namespace {

using plumb::testing::Child;
using plumb::testing::ChildEnd;
using ::testing::HasSubstr;

ChildEnd run_ranks(int ranks, const std::string& mode, std::vector<std::string> variables = {}) {
  Child child({SUPERVISE_PROGRAM, std::to_string(ranks), RANK_PROGRAM, mode}, std::move(variables));
  return child.finish();
}

TEST(Comm, OneRankIsTheIdentity) {
  const auto comm = Comm::create(RankEnv{});
  at::Tensor tensor = at::arange(3, at::kFloat);
  comm->all_reduce_sum(tensor);
  EXPECT_TRUE(tensor.equal(at::arange(3, at::kFloat)));
  EXPECT_EQ(comm->sum(2.5), 2.5);
  EXPECT_TRUE(comm->any(true));
  EXPECT_TRUE(comm->all_gather(tensor).at(0).equal(tensor));
  EXPECT_EQ(comm->all_gather_bytes("x"), std::vector<std::string>{"x"});
  comm->barrier();
}

TEST(Comm, RefusesWhatItCannotDo) {
  const auto comm = Comm::create(RankEnv{});
  at::Tensor half = at::zeros({1}, at::kHalf);
  EXPECT_THROW(comm->all_reduce_sum(half), Error);
  EXPECT_THROW(comm->broadcast(half, 1), Error);
  try {
    Comm::create(RankEnv{}, {.backend = "nccl"});
    FAIL() << "nccl accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("libplumb_cuda.so"));
  }
}

class CommRanks : public ::testing::TestWithParam<int> {};

TEST_P(CommRanks, CollectivesAreExact) {
  const ChildEnd end = run_ranks(GetParam(), "collectives");
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(end.out, "collectives ok " + std::to_string(GetParam()) + "\n");
}

TEST_P(CommRanks, CollectivesAreExactWhenVerified) {
  const ChildEnd end = run_ranks(GetParam(), "collectives", {"TEST_VERIFY=1"});
  EXPECT_EQ(end.exit_code, 0) << end.err;
}

TEST_P(CommRanks, SameBitsInEveryRun) {
  const ChildEnd first = run_ranks(GetParam(), "bits");
  EXPECT_THAT(first.out, HasSubstr("bits ")) << first.err;
  EXPECT_EQ(run_ranks(GetParam(), "bits").out, first.out);
}

TEST_P(CommRanks, ListensOnLoopbackOnly) {
  const ChildEnd end = run_ranks(GetParam(), "listeners");
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(end.out, "listeners ok\n");
}

INSTANTIATE_TEST_SUITE_P(TwoAndThree, CommRanks, ::testing::Values(2, 3));

// Ends of rank 0 and rank 1, both started with variables alone, as Slurm scripts do.
std::vector<ChildEnd> run_by_hand(const std::string& master, const std::string& mode) {
  const int probe = listen_on("127.0.0.1", 0);
  const std::string port = std::to_string(port_of(probe));
  ::close(probe);
  std::vector<std::unique_ptr<Child>> children;
  for (const char* rank : {"0", "1"}) {
    children.push_back(std::make_unique<Child>(
        std::vector<std::string>{RANK_PROGRAM, mode},
        std::vector<std::string>{std::string("RANK=") + rank, "WORLD_SIZE=2",
                                 std::string("LOCAL_RANK=") + rank, "MASTER_ADDR=" + master,
                                 "MASTER_PORT=" + port}));
  }
  std::vector<ChildEnd> ends;
  for (const auto& child : children) ends.push_back(child->finish());
  return ends;
}

TEST(CommWithoutSupervisor, TorchrunsVariablesSuffice) {
  for (const char* master : {"127.0.0.1", "localhost"}) {
    for (const ChildEnd& end : run_by_hand(master, "collectives")) {
      EXPECT_EQ(end.exit_code, 0) << end.err;
    }
    for (const ChildEnd& end : run_by_hand(master, "listeners")) {
      EXPECT_EQ(end.exit_code, 0) << end.err;
    }
  }
}

TEST(CommWithoutSupervisor, PeerThatNeverComesIsNamedAfterTheTimeout) {
  Child child({RANK_PROGRAM, "collectives"}, {"RANK=1", "WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1",
                                              "MASTER_PORT=1", "TEST_TIMEOUT=1"});
  const ChildEnd end = child.finish();
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(end.err, HasSubstr("rank 1: the 2 ranks did not meet at 127.0.0.1 port 1"));
}

TEST(Comm, SkippedCallIsFoundWhenVerified) {
  const ChildEnd end = run_ranks(2, "skip", {"TEST_VERIFY=1"});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(end.err, HasSubstr("collective #1"));
  EXPECT_THAT(end.err, HasSubstr("calls another collective"));
}

TEST(CommWithoutSupervisor, ErrorNamesRankCollectiveNumberStepAndPhase) {
  const std::vector<ChildEnd> ends = run_by_hand("127.0.0.1", "exit3");
  EXPECT_EQ(ends[1].exit_code, 3);
  EXPECT_EQ(ends[0].exit_code, 1);
  EXPECT_THAT(ends[0].err,
              HasSubstr("rank 0: collective #4 all_reduce_sum failed in step 4, phase rollout"));
}

TEST(CommWithoutSupervisor, NamedAddressIsTheOnlyOneListenedOn) {
  std::string address;
  try {
    address = local_address_towards("192.0.2.1", 9);  // nobody's: the way out of this machine
  } catch (const Error&) {
    GTEST_SKIP() << "this machine has loopback only";
  }
  for (const ChildEnd& end : run_by_hand(address, "listeners")) {
    EXPECT_EQ(end.exit_code, 0) << end.err;
  }
}

// The agent of the real torchrun serves the store, and its ranks are all clients.
TEST(CommWithoutSupervisor, RealTorchrunStartsUs) {
  const std::string python = ".deps/oracle/bin/python";
  if (!std::filesystem::exists(python)) GTEST_SKIP() << "no " << python;
  Child child({python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
               "--no-python", RANK_PROGRAM, "collectives"});
  const ChildEnd end = child.finish();
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_THAT(end.out, HasSubstr("collectives ok 2")) << end.err;
}

}  // namespace
}  // namespace plumb
