// dist_supervise RANKS COMMAND...: what `plumb --ranks N` does, for tests.
#include <cstdlib>
#include <vector>

#include "core/dist/supervisor.h"
#include "core/error.h"
#include "core/log.h"

int main(int argc, char** argv) {
  if (argc < 3) return static_cast<int>(plumb::Exit::usage);
  try {
    return plumb::supervise({.ranks = std::atoi(argv[1]), .command = {argv + 2, argv + argc}});
  } catch (const plumb::Error& error) {
    plumb::log::error(error.what());
    return static_cast<int>(error.code);
  }
}
