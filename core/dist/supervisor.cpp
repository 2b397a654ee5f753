#include "core/dist/supervisor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>

#include "core/dist/launch.h"
#include "core/dist/rendezvous.h"
#include "core/error.h"
#include "core/log.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A rank that lost its peer can be seen dead before the peer: sockets close before a process is
// reaped. So long the real culprit is waited for.
constexpr milliseconds kCulpritWait{1000};
// How long a missed SIGCHLD can delay us.
constexpr milliseconds kTick{200};

constexpr int kInterrupted = static_cast<int>(Exit::interrupted);

// Takes the signals from the calling thread for its lifetime: they are waited for, not handled.
class SignalTrap {
 public:
  SignalTrap() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGCHLD);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction action {};
      ::sigaction(number, nullptr, &action);
      // Ignored by whoever started us (nohup, a shell's background job): stays ignored.
      if (action.sa_handler != SIG_IGN) ::sigaddset(&set_, number);
    }
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &by_default, &former_child_action_);
    ::pthread_sigmask(SIG_BLOCK, &set_, &former_mask_);
  }
  ~SignalTrap() {
    ::pthread_sigmask(SIG_SETMASK, &former_mask_, nullptr);
    ::sigaction(SIGCHLD, &former_child_action_, nullptr);
  }
  SignalTrap(const SignalTrap&) = delete;
  SignalTrap& operator=(const SignalTrap&) = delete;

  const sigset_t& former_mask() const { return former_mask_; }

  // The signal that came, or 0 when none did in time.
  int wait(milliseconds limit) const {
    const timespec time{limit.count() / 1000, limit.count() % 1000 * 1'000'000};
    const int number = ::sigtimedwait(&set_, nullptr, &time);
    return number > 0 ? number : 0;
  }

 private:
  sigset_t set_{};
  sigset_t former_mask_{};
  struct sigaction former_child_action_ {};
};

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

struct Rank {
  pid_t pid = -1;
  bool running = false;
  int status = 0;  // as waitpid gives it, once ended

  bool ended_by_signal() const { return WIFSIGNALED(status); }
  int exit_code() const { return ended_by_signal() ? 1 : WEXITSTATUS(status); }
  bool failed() const {
    return ended_by_signal() || (exit_code() != 0 && exit_code() != kInterrupted);
  }
};

class Supervision {
 public:
  explicit Supervision(const SupervisorOptions& options)
      : options_(options), board_(options.ranks), ranks_(options.ranks) {}
  ~Supervision() { kill_all_and_wait(); }

  int run();

 private:
  void start();
  void pass_on(int signal_number);
  std::vector<int> reap();
  void judge(const std::vector<int>& ended);
  void watch_deadlines();
  void fail(int rank);
  void signal_running(int signal_number);
  void kill_all_and_wait();
  int running() const;
  int verdict() const;
  std::string where(int rank) const;
  std::string end_of(int rank) const;
  std::string others_at_failure(int failed) const;
  void log_consequences() const;

  const SupervisorOptions& options_;
  SignalTrap trap_;
  StatusBoard board_;
  std::vector<Rank> ranks_;
  std::optional<int> first_failure_;
  std::optional<int> bereaved_;  // first rank that failed for want of a peer
  Clock::time_point culprit_deadline_;
  std::optional<Clock::time_point> kill_at_;  // set once the job is being ended
  bool interrupted_ = false;
};

int Supervision::run() {
  start();
  while (running() > 0 || (bereaved_ && !kill_at_)) {
    const int number = trap_.wait(kTick);
    if (number != 0 && number != SIGCHLD) pass_on(number);
    judge(reap());
    watch_deadlines();
  }
  log_consequences();
  return verdict();
}

void Supervision::start() {
  Launch launch{options_.command,    options_.ranks,     listen_on("127.0.0.1", 0), 0,
                board_.descriptor(), trap_.former_mask()};
  launch.port = port_of(launch.listener);
  for (int rank = 0; rank < options_.ranks; ++rank) {
    ranks_[rank].pid = launch_rank(launch, rank);
    ranks_[rank].running = true;
  }
  ::close(launch.listener);  // from now on it lives and dies with rank 0
}

void Supervision::pass_on(int signal_number) {
  if (interrupted_) {
    log::warning("a second " + signal_name(signal_number) + ": ranks are killed");
    kill_at_ = Clock::now();
    return;
  }
  interrupted_ = true;
  log::info(signal_name(signal_number) + ": ranks are asked to save a checkpoint and end");
  signal_running(signal_number == SIGHUP ? SIGTERM : signal_number);
}

// Collects the ranks that ended since the last call.
std::vector<int> Supervision::reap() {
  std::vector<int> ended;
  for (int rank = 0; rank < options_.ranks; ++rank) {
    Rank& state = ranks_[rank];
    siginfo_t info{};
    if (!state.running) continue;
    if (::waitid(P_PID, state.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) continue;
    if (info.si_pid != state.pid) continue;
    // Not yet reaped, the rank still holds its group's number: its own children end here.
    ::kill(-state.pid, SIGKILL);
    ::waitpid(state.pid, &state.status, 0);
    state.running = false;
    ended.push_back(rank);
  }
  // Ranks seen dead at once: one that a signal ended did not die of another's death.
  std::stable_partition(ended.begin(), ended.end(),
                        [&](int rank) { return ranks_[rank].ended_by_signal(); });
  return ended;
}

void Supervision::judge(const std::vector<int>& ended) {
  for (const int rank : ended) {
    if (kill_at_) return;  // whatever ends now, ends because we asked
    if (!ranks_[rank].failed()) {
      if (ranks_[rank].exit_code() == kInterrupted && !interrupted_) pass_on(SIGTERM);
    } else if (!board_.read(rank).lost_peer || ranks_[rank].ended_by_signal()) {
      fail(rank);
    } else if (!bereaved_) {
      bereaved_ = rank;
      culprit_deadline_ = Clock::now() + kCulpritWait;
    }
  }
}

void Supervision::watch_deadlines() {
  const auto now = Clock::now();
  if (bereaved_ && !kill_at_ && (now >= culprit_deadline_ || running() == 0)) fail(*bereaved_);
  if (kill_at_ && now >= *kill_at_) signal_running(SIGKILL);
}

void Supervision::fail(int rank) {
  first_failure_ = rank;
  log::error(end_of(rank) + where(rank) + others_at_failure(rank));
  signal_running(SIGTERM);
  kill_at_ =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(std::max(0.0, options_.grace_seconds)));
}

void Supervision::signal_running(int signal_number) {
  for (const Rank& rank : ranks_) {
    if (rank.running) ::kill(-rank.pid, signal_number);
  }
}

void Supervision::kill_all_and_wait() {
  signal_running(SIGKILL);
  for (Rank& rank : ranks_) {
    if (rank.running) ::waitpid(rank.pid, &rank.status, 0);
    rank.running = false;
  }
}

int Supervision::running() const {
  return static_cast<int>(
      std::count_if(ranks_.begin(), ranks_.end(), [](const Rank& rank) { return rank.running; }));
}

int Supervision::verdict() const {
  if (first_failure_) return ranks_[*first_failure_].exit_code();
  if (kill_at_) return static_cast<int>(Exit::failed);
  const bool saved = std::any_of(ranks_.begin(), ranks_.end(),
                                 [](const Rank& rank) { return rank.exit_code() == kInterrupted; });
  return saved ? kInterrupted : static_cast<int>(Exit::ok);
}

std::string Supervision::where(int rank) const {
  const RankReport report = board_.read(rank);
  std::string text =
      report.step < 0 ? ", before its first step" : " in step " + std::to_string(report.step);
  if (!report.phase.empty()) text += ", phase " + report.phase;
  if (report.sequence > 0) {
    text += ", last collective #" + std::to_string(report.sequence) + " " + report.collective;
  }
  return text;
}

std::string Supervision::end_of(int rank) const {
  const Rank& state = ranks_[rank];
  std::string text = "rank " + std::to_string(rank) + " (pid " + std::to_string(state.pid) + ") ";
  if (!state.ended_by_signal()) {
    return text + "ended with exit code " + std::to_string(state.exit_code());
  }
  text += "was ended by " + signal_name(WTERMSIG(state.status));
  if (WTERMSIG(state.status) == SIGKILL) text += " (perhaps for want of memory: see dmesg)";
  return text;
}

// Tells about the others what helps to find the cause: who had left before, and, when the failed
// rank only waited in vain, who was still there but did not answer.
std::string Supervision::others_at_failure(int failed) const {
  std::string text;
  for (int rank = 0; rank < options_.ranks; ++rank) {
    if (rank == failed) continue;
    if (!ranks_[rank].running && !ranks_[rank].failed()) {
      text += "; before that, " + end_of(rank) + where(rank);
    } else if (ranks_[rank].running && board_.read(failed).lost_peer) {
      text += "; it waited for rank " + std::to_string(rank) + " (pid " +
              std::to_string(ranks_[rank].pid) + "), still running" + where(rank);
    }
  }
  return text + (running() > 0 ? "; the other ranks are stopped" : "");
}

void Supervision::log_consequences() const {
  if (!first_failure_) return;
  std::string text;
  for (int rank = 0; rank < options_.ranks; ++rank) {
    if (rank != *first_failure_ && ranks_[rank].failed()) {
      text += (text.empty() ? "after it, " : "; ") + end_of(rank) + where(rank);
    }
  }
  if (!text.empty()) log::info(text);
}

}  // namespace

int supervise(const SupervisorOptions& options) {
  if (options.ranks < 1 || options.command.empty()) {
    throw Error("supervisor: ranks=" + std::to_string(options.ranks) +
                    ": needs at least one rank and a command",
                Exit::usage);
  }
  return Supervision(options).run();
}

}  // namespace plumb
