// Which rank of how many this process is, as torchrun, Slurm scripts and our own supervisor say it.
#pragma once
#include <string>

namespace plumb {

struct RankEnv {
  int rank = 0;
  int world_size = 1;
  int local_rank = 0;       // index among the ranks of this machine
  std::string master_addr;  // where rank 0 can be reached; empty when world_size is 1
  int master_port = 0;

  // From RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. Neither RANK nor WORLD_SIZE:
  // one rank. LOCAL_RANK may be missing when MASTER_ADDR is loopback (all ranks are then here).
  // Throws Error (Exit::usage) that names the variable, its value and the rule.
  static RankEnv from_environment();
};

}  // namespace plumb
