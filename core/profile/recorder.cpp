#include "core/profile/recorder.h"

#include <algorithm>

#include "core/error.h"

namespace plumb::profile {

namespace detail {

void open(Recorder& recorder, const char* name, const char* part, double flops) {
  recorder.open(name, part, flops);
}

// A span that outlives its recorder is not closed into another.
void close(Recorder& recorder) {
  if (active == &recorder) recorder.close();
}

}  // namespace detail

Recorder::Recorder(const char* root, std::size_t most_spans)
    : start_(Clock::now()), most_spans_(most_spans) {
  if (detail::active != nullptr) throw Error("a profile is being recorded already", Exit::failed);
  detail::active = this;
  open(root, "", 0);
}

Recorder::~Recorder() {
  stop();
}

void Recorder::stop() {
  if (detail::active != this) return;
  while (!stack_.empty()) close();
  detail::active = nullptr;
}

std::int64_t Recorder::now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
}

void Recorder::open(const char* name, const char* part, double flops) {
  Open span{name, part, flops, now()};
  if (events_.size() < most_spans_) {
    span.event = static_cast<std::int64_t>(events_.size());
    events_.push_back({name, part, flops, span.begin, span.begin});
  } else {
    ++dropped_;
  }
  stack_.push_back(span);
}

void Recorder::close() {
  if (stack_.empty()) return;
  const Open span = stack_.back();
  stack_.pop_back();
  const std::int64_t end = now(), length = end - span.begin;
  if (span.event >= 0) events_[static_cast<std::size_t>(span.event)].end = end;
  Sums& sums = sums_[{span.name, span.part}];
  sums.calls += 1;
  sums.nanoseconds += length;
  sums.self += length - span.inside;
  sums.flops += span.flops;
  if (stack_.empty()) {
    root_nanoseconds_ = length;
  } else {
    stack_.back().inside += length;
  }
}

double Recorder::seconds() const {
  return static_cast<double>(root_nanoseconds_) * 1e-9;
}

std::vector<Total> Recorder::totals() const {
  std::map<std::pair<std::string, std::string>, Total> by_text;
  for (const auto& [key, sums] : sums_) {
    Total& total = by_text[{key.first, key.second}];
    total.name = key.first;
    total.part = key.second;
    total.calls += sums.calls;
    total.seconds += static_cast<double>(sums.nanoseconds) * 1e-9;
    total.self_seconds += static_cast<double>(sums.self) * 1e-9;
    total.flops += sums.flops;
  }
  std::vector<Total> totals;
  for (auto& [key, total] : by_text) totals.push_back(std::move(total));
  std::stable_sort(totals.begin(), totals.end(),
                   [](const Total& a, const Total& b) { return a.self_seconds > b.self_seconds; });
  return totals;
}

}  // namespace plumb::profile
