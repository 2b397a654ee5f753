// Starts one rank as a process of its own. Part of the supervisor.
#pragma once
#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

namespace plumb {

struct Launch {
  std::vector<std::string> command;
  int world_size = 1;
  int listener = -1;  // listening socket of the rendezvous; rank 0 inherits it
  int port = 0;       // its port
  int status = -1;    // descriptor of the StatusBoard; every rank inherits it
  sigset_t signals;   // the signal mask that ranks run with
};

// Forks and executes; returns the pid. Throws Error when the process cannot be made. When the
// program cannot be executed the child says so on standard error and exits with 127.
pid_t launch_rank(const Launch& launch, int rank);

}  // namespace plumb
