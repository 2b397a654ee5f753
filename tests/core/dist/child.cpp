#include "tests/core/dist/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace plumb::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{10};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_zombie(pid_t pid) {
  const std::string stat = contents("/proc/" + std::to_string(pid) + "/stat");
  const auto end_of_name = stat.rfind(')');
  return end_of_name == std::string::npos || stat.substr(end_of_name + 2, 1) == "Z";
}

void redirect(const std::string& path, int descriptor) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(file, descriptor);
  ::close(file);
}

}  // namespace

Child::Child(std::vector<std::string> command, std::vector<std::string> variables)
    : start_(Clock::now()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "plumb-child-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = pattern;
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ != 0) return;
  redirect(folder_ + "/out", STDOUT_FILENO);
  redirect(folder_ + "/err", STDERR_FILENO);
  for (std::string& variable : variables) ::putenv(variable.data());
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

Child::~Child() {
  if (!ended_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::filesystem::remove_all(folder_);
}

void Child::signal(int number) const {
  ::kill(pid_, number);
}

std::string Child::err() const {
  return contents(folder_ + "/err");
}

bool Child::wait_for_err(const std::string& text, int count) const {
  const auto start = Clock::now();
  while (count_of(err(), text) < count) {
    if (since(start) > 60) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

ChildEnd Child::finish(double limit_seconds) {
  ChildEnd end;
  int status = 0;
  const auto start = Clock::now();
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (since(start) > limit_seconds) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(kPoll);
  }
  ended_ = true;
  end.seconds = since(start_);
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.out = contents(folder_ + "/out");
  end.err = err();
  return end;
}

std::vector<pid_t> processes_with(const std::string& entry) {
  std::vector<pid_t> found;
  for (const auto& item : std::filesystem::directory_iterator("/proc")) {
    const std::string name = item.path().filename();
    const pid_t pid = static_cast<pid_t>(std::atoi(name.c_str()));
    if (pid <= 0 || is_zombie(pid)) continue;
    const std::string environment = '\0' + contents("/proc/" + name + "/environ");
    if (environment.find('\0' + entry + '\0') != std::string::npos) found.push_back(pid);
  }
  return found;
}

bool gone_within(const std::string& entry, double limit_seconds) {
  const auto start = Clock::now();
  while (!processes_with(entry).empty()) {
    if (since(start) > limit_seconds) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

std::string unique_mark() {
  static int count = 0;
  return "PLUMB_TEST_MARK=" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace plumb::testing
