// A process that a test starts, with its output caught, and what the tests ask about processes.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace plumb::testing {

struct ChildEnd {
  int exit_code = -1;  // -1: ended by a signal, or still running after the limit (then killed)
  std::string out;
  std::string err;
  double seconds = 0;  // from start to end
};

class Child {
 public:
  // `variables` as NAME=value, added to the environment.
  explicit Child(std::vector<std::string> command, std::vector<std::string> variables = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  std::string err() const;  // what it wrote to stderr so far
  // True once stderr holds `count` times `text`; false if that does not happen in a minute.
  bool wait_for_err(const std::string& text, int count = 1) const;
  ChildEnd finish(double limit_seconds = 60);

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string folder_;
  std::chrono::steady_clock::time_point start_;
};

// Processes whose environment holds `entry` (NAME=value) and that are no zombies.
std::vector<pid_t> processes_with(const std::string& entry);

// True once there are none, false if some are left after the limit.
bool gone_within(const std::string& entry, double limit_seconds);

// A NAME=value that no other process has: put into a child's environment, it finds its descendants.
std::string unique_mark();

int count_of(const std::string& text, const std::string& part);

}  // namespace plumb::testing
