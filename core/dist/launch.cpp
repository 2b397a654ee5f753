#include "core/dist/launch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/dist/rank_status.h"
#include "core/dist/rendezvous.h"
#include "core/error.h"

namespace plumb {
namespace {

constexpr int kCannotExecute = 127;  // as shells have it

// Ours, or an outer launcher's that would mislead a rank.
bool is_replaced(std::string_view entry) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "RANK=",        "LOCAL_RANK=",  "WORLD_SIZE=",      "LOCAL_WORLD_SIZE=",
      "MASTER_ADDR=", "MASTER_PORT=", "PLUMB_MASTER_FD=", "PLUMB_STATUS_FD="};
  return entry.starts_with("TORCHELASTIC_") ||
         std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return entry.starts_with(name); });
}

std::vector<std::string> environment_of(const Launch& launch, int rank) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!is_replaced(*entry)) entries.emplace_back(*entry);
  }
  const auto add = [&](std::string name, const std::string& value) {
    entries.push_back(std::move(name) + "=" + value);
  };
  add("RANK", std::to_string(rank));
  add("LOCAL_RANK", std::to_string(rank));
  add("WORLD_SIZE", std::to_string(launch.world_size));
  add("LOCAL_WORLD_SIZE", std::to_string(launch.world_size));
  add("MASTER_ADDR", "127.0.0.1");
  add("MASTER_PORT", std::to_string(launch.port));
  add(kStatusVariable, std::to_string(launch.status));
  if (rank == 0) add(kListenerVariable, std::to_string(launch.listener));
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

struct Prepared {
  pid_t supervisor;
  char** arguments;
  char** environment;
};

// Runs in the child, where only async-signal-safe calls are allowed.
[[noreturn]] void become_rank(const Launch& launch, int rank, const Prepared& prepared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != prepared.supervisor) ::_exit(kCannotExecute);  // it died before the prctl
  ::setpgid(0, 0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  if (nothing > STDERR_FILENO) ::close(nothing);
  if (rank > 0) ::dup2(STDERR_FILENO, STDOUT_FILENO);
  ::fcntl(launch.status, F_SETFD, 0);
  if (rank == 0) ::fcntl(launch.listener, F_SETFD, 0);
  ::signal(SIGCHLD, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &launch.signals, nullptr);
  ::execvpe(prepared.arguments[0], prepared.arguments, prepared.environment);
  const char* why = ::strerrordesc_np(errno);
  for (const char* part : {"plumb: cannot execute ", const_cast<const char*>(prepared.arguments[0]),
                           ": ", why, "\n"}) {
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  ::_exit(kCannotExecute);
}

}  // namespace

pid_t launch_rank(const Launch& launch, int rank) {
  std::vector<std::string> command = launch.command;
  std::vector<std::string> entries = environment_of(launch, rank);
  std::vector<char*> arguments = pointers(command);
  std::vector<char*> environment = pointers(entries);
  const Prepared prepared{::getpid(), arguments.data(), environment.data()};
  const pid_t pid = ::fork();
  if (pid == 0) become_rank(launch, rank, prepared);
  if (pid < 0) {
    throw Error(
        "supervisor: rank " + std::to_string(rank) + " cannot be started: " + std::strerror(errno),
        Exit::failed);
  }
  ::setpgid(pid, pid);  // here too, so that the group exists before the first kill
  return pid;
}

}  // namespace plumb
