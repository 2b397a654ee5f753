// Several processes, as users start them: by --ranks, or by hand with torchrun's variables.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

// A port of loopback that was free a moment ago.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  close(socket);
  return ntohs(address.sin_port);
}

Outcome run_by_hand(int rank, int port, const Words& job) {
  const auto number = std::to_string(rank);
  return run_program(Words{"/usr/bin/env", "RANK=" + number, "LOCAL_RANK=" + number, "WORLD_SIZE=2",
                           "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + std::to_string(port),
                           program()} +
                     job);
}

TEST(Ranks, TorchrunsVariablesGiveTheLossesOfOne) {
  const auto& shop = workshop();
  must(plumb_run(shop.sft("by_one") + Words{"train.steps=4"}));
  const Words job = shop.sft("by_hand") + Words{"train.steps=4"};
  const int port = free_port();
  Outcome second;
  std::thread other([&] { second = run_by_hand(1, port, job); });
  const Outcome first = run_by_hand(0, port, job);
  other.join();
  must(first);
  must(second);
  const auto one = metrics_of(shop.path("by_one")), two = metrics_of(shop.path("by_hand"));
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    EXPECT_NEAR(one[i]["loss"].get<double>(), two[i]["loss"].get<double>(), 1e-5) << "line " << i;
}

// The child of `parent` that is rank `rank`; -1: none.
pid_t child_of_rank(pid_t parent, int rank) {
  const std::string wanted = "RANK=" + std::to_string(rank);
  std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                         "/children");
  for (pid_t child; children >> child;) {
    std::ifstream environment("/proc/" + std::to_string(child) + "/environ");
    for (std::string entry; std::getline(environment, entry, '\0');) {
      if (entry == wanted) return child;
    }
  }
  return -1;
}

TEST(Ranks, ARankThatDiesEndsTheJobAndIsNamed) {
  const auto& shop = workshop();
  using Clock = std::chrono::steady_clock;
  Clock::time_point killed;
  const auto outcome = plumb_run(shop.sft("dying") + Words{"train.steps=100000", "--ranks", "2"},
                                 [&](pid_t supervisor) {
                                   wait_for_file(supervisor, shop.path("dying") + "/metrics.jsonl");
                                   const pid_t victim = child_of_rank(supervisor, 1);
                                   killed = Clock::now();
                                   if (victim > 0) kill(victim, SIGKILL);
                                 });
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - killed).count(), 5);
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  for (const char* part : {"rank 1", "SIGKILL", "in step "})
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  EXPECT_FALSE(files::exists(shop.path("dying") + "/adapter"));
}

}  // namespace
}  // namespace plumb::test
