// Watching for degenerate text (features.md, pain 32); on token ids, no LibTorch.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

using TokenSpans = std::vector<std::span<const int32_t>>;

// Share of a response's n-grams that it held before, averaged over the responses that have any
// (seq-rep-n, Welleck et al. 2020, section 6): 0 for text that never repeats itself.
double repetition(const TokenSpans& responses, int64_t n);

// Different n-grams over all n-grams of all responses (distinct-n, Li et al. 2016, section 5): low
// when responses resemble each other.
double distinct(const TokenSpans& responses, int64_t n);

}  // namespace plumb
