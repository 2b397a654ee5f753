// Divides documents into samples of at most max_length tokens. A window begins with the last token
// of the one before, so each token but the first of a document is a target exactly once.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/data/sample.h"

namespace plumb {

class WindowMaker {
 public:
  // max_length 0: a document is one sample; otherwise at least 2.
  WindowMaker(std::int64_t max_length, std::function<void(Sample)> emit);

  void start(std::int64_t row) { row_ = row; }
  void add(std::span<const std::int32_t> tokens);
  // Ends the document; returns its number of tokens. One of fewer than two gives no sample.
  std::int64_t end();

 private:
  void emit(std::vector<std::int32_t> tokens);

  std::int64_t max_length_;
  std::function<void(Sample)> emit_;
  std::vector<std::int32_t> pending_;
  std::int64_t row_ = 0;
  std::int64_t length_ = 0;
};

}  // namespace plumb
