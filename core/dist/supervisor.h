// Starts the ranks of one machine and watches them: `plumb JOB --ranks N`. Links no LibTorch.
#pragma once
#include <string>
#include <vector>

#include "core/dist/rank_status.h"  // report_step(): how a rank says where it is

namespace plumb {

struct SupervisorOptions {
  int ranks = 1;
  std::vector<std::string> command;  // program (a path, or a name on PATH) and its arguments
  double grace_seconds = 2;          // from SIGTERM to SIGKILL, once a rank has failed
};

// Runs `command` once a rank, with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR=127.0.0.1 and
// MASTER_PORT set, and waits for all. Each rank leads a process group of its own, so that Ctrl-C
// reaches the supervisor alone and a rank's own children end with it. Standard input is empty; the
// standard output of ranks above 0 goes to standard error.
//
// A rank that fails (a signal, or a code other than 0 and Exit::interrupted) ends the job: it is
// logged as an error with rank, pid, cause, step and collective, and the others get SIGTERM, then
// SIGKILL after the grace. Of several failures the first counts, and a rank that failed only
// because its peer was gone never hides that peer. SIGINT, SIGTERM and SIGHUP are passed on once,
// without a deadline (ranks save a checkpoint); a second one kills the ranks. If the supervisor
// itself is killed, the kernel kills the ranks (PR_SET_PDEATHSIG).
//
// Returns the exit code of the first failing rank (1 if a signal ended it), else Exit::interrupted
// if any rank returned that, else 0. Throws Error when the ranks cannot be started. Call it from
// the main thread of a program that has no others: the kernel ties ranks to the thread that started
// them, and signals are taken from the calling thread.
int supervise(const SupervisorOptions& options);

}  // namespace plumb
