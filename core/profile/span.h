// Scoped spans of time, for `--profile`. Off, a span costs one branch; on, two readings of the
// clock. Names are string literals. A recorder hears the thread that made it alone: kernels that
// run on many threads are one span of the thread that called them.
#pragma once
#include <cstdint>

namespace plumb::profile {

class Recorder;

namespace detail {
inline constinit thread_local Recorder* active = nullptr;  // set by a Recorder while it lives
void open(Recorder& recorder, const char* name, const char* part, double flops);
void close(Recorder& recorder);
}  // namespace detail

inline bool is_on() {
  return detail::active != nullptr;
}

class Span {
 public:
  // part: "backward" or the like, set apart in trace and table. flops: operations done inside, 0
  // for what has no useful count.
  explicit Span(const char* name, const char* part = "", double flops = 0)
      : recorder_(detail::active) {
    if (recorder_ != nullptr) detail::open(*recorder_, name, part, flops);
  }
  ~Span() {
    if (recorder_ != nullptr) detail::close(*recorder_);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Recorder* recorder_;
};

}  // namespace plumb::profile
