// Keeps the spans of a run: the first ones one by one, for a trace; all of them as sums by name.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/profile/span.h"

namespace plumb::profile {

// Sums over all spans of a name and part.
struct Total {
  std::string name, part;
  std::int64_t calls = 0;
  double seconds = 0;       // from opening to closing
  double self_seconds = 0;  // without the spans inside
  double flops = 0;
};

class Recorder {
 public:
  // Becomes the active one of this thread, which must have none, and opens the span `root`; spans
  // opened before it are not closed into it. most_spans bounds the trace: afterwards sums go on
  // alone.
  explicit Recorder(const char* root, std::size_t most_spans = 200'000);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void stop();                        // closes what is open; spans are heard no more
  double seconds() const;             // of the root, once stopped
  std::vector<Total> totals() const;  // most self_seconds first
  bool is_whole() const { return dropped_ == 0; }

  // Trace Event Format, as https://ui.perfetto.dev and chrome://tracing open it: complete events
  // ("ph": "X"), microseconds from the recorder's beginning. process: the rank.
  void write_trace(const std::string& path, std::int64_t process) const;

 private:
  friend void detail::open(Recorder&, const char*, const char*, double);
  friend void detail::close(Recorder&);
  using Clock = std::chrono::steady_clock;

  struct Open {
    const char *name, *part;
    double flops;
    std::int64_t begin;       // nanoseconds from start_
    std::int64_t inside = 0;  // of the spans within
    std::int64_t event = -1;  // its place in events_
  };
  struct Event {
    const char *name, *part;
    double flops;
    std::int64_t begin, end;
  };
  struct Sums {
    std::int64_t calls = 0, nanoseconds = 0, self = 0;
    double flops = 0;
  };

  std::int64_t now() const;
  void open(const char* name, const char* part, double flops);
  void close();

  Clock::time_point start_;
  std::size_t most_spans_;
  std::vector<Open> stack_;
  std::vector<Event> events_;
  // By address: a literal may have several, which totals() brings together.
  std::map<std::pair<const char*, const char*>, Sums> sums_;
  std::int64_t dropped_ = 0, root_nanoseconds_ = 0;
};

// The sums as a table for people: op, calls, self time and its share of all, mean, GFLOP/s.
std::string table_of(const Recorder& recorder);

}  // namespace plumb::profile
