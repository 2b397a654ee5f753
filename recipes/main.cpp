#include <csignal>

#include "recipes/cli/command.h"

int main(int argc, char** argv) {
  // A file over the limit (ulimit -f) is an error that names it, as a full disk is, not a death.
  std::signal(SIGXFSZ, SIG_IGN);
  return plumb::run_command_line(plumb::Arguments(argv + 1, argv + argc));
}
