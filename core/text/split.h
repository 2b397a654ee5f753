// How a piece is divided at what a pattern or a predicate finds.
#pragma once
#include <string_view>
#include <vector>

#include "core/text/pre_tokenizer.h"

namespace plumb::text {

// A stretch of a piece: found, or between finds. Stretches cover the piece without gaps.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_match = false;
};

std::vector<Stretch> stretches_of(std::string_view text, const std::vector<Match>& matches);
// One stretch for each character that `is_member` takes, the rest between them.
std::vector<Stretch> stretches_of(std::string_view text, bool (*is_member)(char32_t));
// What is left of a piece, in order.
std::vector<Match> divide(const std::vector<Stretch>& stretches, SplitBehavior behavior);

}  // namespace plumb::text
