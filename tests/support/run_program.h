// The binary as a user runs it: arguments in, status and both streams out.
#pragma once
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace plumb::test {

struct Outcome {
  int status = -1;  // exit status; 128 + signal
  std::string out, err;
};

inline std::string drain(int descriptor) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(descriptor, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  close(descriptor);
  return text;
}

// `while_running` gets the pid, on a thread of its own; for kills.
inline Outcome run_program(std::vector<std::string> words,
                           const std::function<void(pid_t)>& while_running = {}) {
  int out[2], err[2];
  if (pipe(out) != 0 || pipe(err) != 0) std::abort();
  const pid_t pid = fork();
  if (pid == 0) {
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (const int descriptor : {out[0], out[1], err[0], err[1]}) close(descriptor);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  Outcome outcome;
  std::thread errors([&] { outcome.err = drain(err[0]); });
  std::thread other([&] {
    if (while_running) while_running(pid);
  });
  outcome.out = drain(out[0]);
  errors.join();
  int status = 0;
  waitpid(pid, &status, 0);
  other.join();
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace plumb::test
