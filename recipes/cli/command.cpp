#include "recipes/cli/command.h"

#include <exception>
#include <iostream>
#include <new>

#include "core/error.h"
#include "core/io/nearest_key.h"
#include "recipes/cli/version.h"

namespace plumb {
namespace {

constexpr const char* kExitCodes =
    "Exit status: 0 done, 1 the run failed, 2 command line or recipe, 3 model or data files,\n"
    "4 a loss or gradient was not finite, 5 interrupted after saving a checkpoint.\n";

const Command* find(const std::string& name) {
  for (const auto& group : command_groups()) {
    for (const auto& command : group.commands) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

void print_overview() {
  std::cout << "plumb aligns language models on one machine: pretrain, SFT with LoRA, reward "
               "model, PPO.\n\n"
               "  plumb COMMAND ...          plumb help COMMAND          plumb --version\n";
  for (const auto& group : command_groups()) {
    std::cout << "\n" << group.title << "\n";
    for (const auto& command : group.commands) {
      std::string line = "  " + command.name;
      line.resize(std::max<std::size_t>(line.size() + 1, 18), ' ');
      std::cout << line << command.summary << "\n";
    }
  }
  std::cout << "\n" << kExitCodes;
}

void print_help(const Command& command) {
  std::cout << "plumb " << command.name << " " << command.usage << "\n\n"
            << command.summary << ".\n\n"
            << command.details() << "\n"
            << kExitCodes;
}

[[noreturn]] void refuse(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& group : command_groups()) {
    for (const auto& command : group.commands) known.push_back(command.name);
  }
  std::string message = "'" + name + "' is no command of plumb";
  if (const auto near = nearest_key(name, known)) message += "; did you mean '" + *near + "'?";
  throw Error(message + " See plumb --help", Exit::usage);
}

// The command that the first one or two words name, and how many words that took.
std::pair<const Command*, std::size_t> match(const Arguments& arguments) {
  if (arguments.size() >= 2) {
    if (const auto* two = find(arguments[0] + " " + arguments[1])) return {two, 2};
  }
  if (const auto* one = find(arguments[0])) return {one, 1};
  refuse(arguments.size() >= 2 && arguments[0] == "data" ? arguments[0] + " " + arguments[1]
                                                         : arguments[0]);
}

int dispatch(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h")
    return print_overview(), 0;
  if (arguments[0] == "--version") return std::cout << version_line() << "\n", 0;
  if (arguments[0] == "help") {
    if (arguments.size() == 1) return print_overview(), 0;
    return print_help(*match({arguments.begin() + 1, arguments.end()}).first), 0;
  }
  const auto [command, words] = match(arguments);
  const Arguments rest(arguments.begin() + static_cast<std::ptrdiff_t>(words), arguments.end());
  for (const auto& argument : rest) {
    if (argument == "--") break;
    if (argument == "--help" || argument == "-h") return print_help(*command), 0;
  }
  return command->run(rest);
}

int fail(const std::string& message, Exit code) {
  std::cout.flush();
  std::cerr << "plumb: " << message << "\n";
  return static_cast<int>(code);
}

}  // namespace

const std::vector<CommandGroup>& command_groups() {
  static const std::vector<CommandGroup> groups = {{"Train", training_commands()},
                                                   {"Use", using_commands()},
                                                   {"Files and data", file_commands()}};
  return groups;
}

int run_command_line(const Arguments& arguments) {
  try {
    return dispatch(arguments);
  } catch (const Error& error) {
    return fail(error.what(), error.code);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; smaller train.micro_batch_tokens or batch sizes need less",
                Exit::failed);
  } catch (const std::exception& error) {
    return fail(error.what(), Exit::failed);
  }
}

}  // namespace plumb
