#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>

#include "core/dist/rank_env.h"
#include "core/dist/rendezvous.h"
#include "core/error.h"

namespace plumb {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

RankEnv read(const Variables& variables) {
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    ::unsetenv(name);
  }
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  return RankEnv::from_environment();
}

std::string refusal(const Variables& variables) {
  try {
    read(variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::usage);
    return error.what();
  }
  return "accepted";
}

const Variables kTorchrun = {{"RANK", "5"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},
                             {"MASTER_ADDR", "node-0"},
                             {"MASTER_PORT", "29500"}};

Variables with(const std::string& name, const std::string& value) {
  Variables changed = kTorchrun;
  changed[name] = value;
  return changed;
}

Variables without(const std::string& name) {
  Variables changed = kTorchrun;
  changed.erase(name);
  return changed;
}

TEST(RankEnv, NothingSetIsOneRank) {
  const RankEnv env = read({});
  EXPECT_EQ(env.rank, 0);
  EXPECT_EQ(env.world_size, 1);
}

TEST(RankEnv, ReadsTorchrunsVariables) {
  const RankEnv env = read(kTorchrun);
  EXPECT_EQ(env.rank, 5);
  EXPECT_EQ(env.world_size, 8);
  EXPECT_EQ(env.local_rank, 1);
  EXPECT_EQ(env.master_addr, "node-0");
  EXPECT_EQ(env.master_port, 29500);
}

TEST(RankEnv, LocalRankFollowsFromLoopback) {
  Variables variables = without("LOCAL_RANK");
  EXPECT_THAT(refusal(variables), HasSubstr("LOCAL_RANK is missing"));
  variables["MASTER_ADDR"] = "127.0.0.1";
  EXPECT_EQ(read(variables).local_rank, 5);
}

TEST(RankEnv, RefusalsNameVariableAndValue) {
  EXPECT_THAT(refusal(without("RANK")), HasSubstr("RANK is missing"));
  EXPECT_THAT(refusal(without("WORLD_SIZE")), HasSubstr("WORLD_SIZE is missing"));
  EXPECT_THAT(refusal(without("MASTER_ADDR")), HasSubstr("MASTER_ADDR is missing"));
  EXPECT_THAT(refusal(without("MASTER_PORT")), HasSubstr("MASTER_PORT is missing"));
  EXPECT_THAT(refusal(with("RANK", "8")), HasSubstr("RANK=8: must be a whole number from 0 to 7"));
  EXPECT_THAT(refusal(with("RANK", "-1")), HasSubstr("RANK=-1"));
  EXPECT_THAT(refusal(with("WORLD_SIZE", "0")), HasSubstr("WORLD_SIZE=0"));
  EXPECT_THAT(refusal(with("WORLD_SIZE", "two")), HasSubstr("WORLD_SIZE=two"));
  EXPECT_THAT(refusal(with("WORLD_SIZE", "8 ")), HasSubstr("WORLD_SIZE=8 "));
  EXPECT_THAT(refusal(with("WORLD_SIZE", "99999999999")), HasSubstr("WORLD_SIZE=99999999999"));
  EXPECT_THAT(refusal(with("LOCAL_RANK", "8")), HasSubstr("LOCAL_RANK=8"));
  EXPECT_THAT(refusal(with("MASTER_PORT", "70000")), HasSubstr("MASTER_PORT=70000"));
}

TEST(Rendezvous, KnowsLoopback) {
  EXPECT_TRUE(is_loopback("localhost"));
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("127.1.2.3"));
  EXPECT_TRUE(is_loopback("::1"));
  EXPECT_FALSE(is_loopback("128.0.0.1"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("::"));
  EXPECT_FALSE(is_loopback("node-0"));
}

TEST(Rendezvous, PortInUseIsNamed) {
  const int first = listen_on("localhost", 0);
  const int port = port_of(first);
  try {
    listen_on("127.0.0.1", port);
    FAIL() << "two listeners on one port";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("port " + std::to_string(port)));
    EXPECT_THAT(error.what(), HasSubstr("MASTER_PORT"));
  }
  ::close(first);
}

TEST(Rendezvous, AddressOfAnotherMachineIsNotBound) {
  EXPECT_EQ(listen_on("192.0.2.1", 0), -1);  // TEST-NET-1: nobody's
  EXPECT_EQ(local_address_towards("127.0.0.1", 9), "127.0.0.1");
}

}  // namespace
}  // namespace plumb
