// One command of `plumb`: what help says of it and what it does.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace plumb {

using Arguments = std::vector<std::string>;

struct Command {
  std::string name;                          // "sft", "data inspect"
  std::string usage;                         // what follows the name
  std::string summary;                       // one line
  std::function<std::string()> details;      // the rest of `plumb help NAME`
  std::function<int(const Arguments&)> run;  // exit status; throws Error
};

struct CommandGroup {
  std::string title;
  std::vector<Command> commands;
};

const std::vector<CommandGroup>& command_groups();

// The groups, one file each.
std::vector<Command> training_commands();  // pretrain sft reward ppo run plan recipe
std::vector<Command> using_commands();     // generate chat score eval logits
std::vector<Command> file_commands();      // export info tokenize data doctor

// Everything after the program's name -> exit status (core/error.h). Prints errors to stderr.
int run_command_line(const Arguments& arguments);

}  // namespace plumb
