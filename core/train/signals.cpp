#include "core/train/signals.h"

#include <csignal>

namespace plumb {
namespace {

volatile std::sig_atomic_t stop = 0;

void on_stop_signal(int signal) {
  stop = 1;
  std::signal(signal, SIG_DFL);  // a second one ends the process
}

}  // namespace

void install_stop_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;  // a write of a log line goes on
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() {
  return stop != 0;
}
void request_stop() {
  stop = 1;
}
void clear_stop_request() {
  stop = 0;
}

}  // namespace plumb
