#include "core/data/windows.h"

#include <utility>

namespace plumb {

WindowMaker::WindowMaker(std::int64_t max_length, std::function<void(Sample)> emit)
    : max_length_(max_length), emit_(std::move(emit)) {}

void WindowMaker::emit(std::vector<std::int32_t> tokens) {
  Sample sample;
  sample.row = row_;
  const auto size = static_cast<std::int64_t>(tokens.size());
  sample.sequences.push_back({std::move(tokens), {{0, size, Role::assistant, true}}});
  emit_(std::move(sample));
}

void WindowMaker::add(std::span<const std::int32_t> tokens) {
  length_ += static_cast<std::int64_t>(tokens.size());
  pending_.insert(pending_.end(), tokens.begin(), tokens.end());
  if (max_length_ == 0) return;
  const auto window = static_cast<std::size_t>(max_length_);
  std::size_t begin = 0;
  for (; pending_.size() - begin >= window; begin += window - 1) {
    const auto first = pending_.begin() + static_cast<std::ptrdiff_t>(begin);
    emit({first, first + static_cast<std::ptrdiff_t>(window)});
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(begin));
}

std::int64_t WindowMaker::end() {
  if (pending_.size() >= 2) emit(std::move(pending_));
  pending_.clear();
  return std::exchange(length_, 0);
}

}  // namespace plumb
