#include "recipes/cli/command.h"

int main(int argc, char** argv) {
  return plumb::run_command_line(plumb::Arguments(argv + 1, argv + argc));
}
