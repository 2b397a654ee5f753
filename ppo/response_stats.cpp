#include "ppo/response_stats.h"

#include <algorithm>
#include <set>

namespace plumb {

namespace {

using NGrams = std::set<std::vector<int32_t>>;

// Adds the n-grams of a response; returns how many there were.
int64_t add_ngrams(std::span<const int32_t> ids, int64_t n, NGrams& seen) {
  const int64_t count = static_cast<int64_t>(ids.size()) - n + 1;
  for (int64_t i = 0; i < count; ++i) {
    const auto gram = ids.subspan(i, n);
    seen.emplace(gram.begin(), gram.end());
  }
  return std::max<int64_t>(0, count);
}

}  // namespace

double repetition(const TokenSpans& responses, int64_t n) {
  double sum = 0;
  int64_t counted = 0;
  for (const auto& response : responses) {
    NGrams seen;
    const int64_t count = add_ngrams(response, n, seen);
    if (count == 0) continue;
    sum += 1.0 - static_cast<double>(seen.size()) / static_cast<double>(count);
    ++counted;
  }
  return counted == 0 ? 0.0 : sum / static_cast<double>(counted);
}

double distinct(const TokenSpans& responses, int64_t n) {
  NGrams seen;
  int64_t count = 0;
  for (const auto& response : responses) count += add_ngrams(response, n, seen);
  return count == 0 ? 0.0 : static_cast<double>(seen.size()) / static_cast<double>(count);
}

}  // namespace plumb
