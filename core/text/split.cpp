#include "core/text/split.h"

#include <algorithm>

namespace plumb::text {

namespace {

// Joins a stretch to the one before it when `joins(previous is a match, this is a match)`.
template <class Joins>
std::vector<Match> join(const std::vector<Stretch>& stretches, Joins joins) {
  std::vector<Match> out;
  bool was_match = false;
  for (const Stretch& stretch : stretches) {
    if (!out.empty() && joins(was_match, stretch.is_match)) {
      out.back().begin = std::min(out.back().begin, stretch.begin);
      out.back().end = std::max(out.back().end, stretch.end);
    } else {
      out.push_back({stretch.begin, stretch.end});
    }
    was_match = stretch.is_match;
  }
  return out;
}

}  // namespace

std::vector<Stretch> stretches_of(std::string_view text, const std::vector<Match>& matches) {
  std::vector<Stretch> out;
  out.reserve(matches.size() * 2 + 1);
  std::size_t done = 0;
  for (const Match& match : matches) {
    if (done != match.begin) out.push_back({done, match.begin, false});
    out.push_back({match.begin, match.end, true});
    done = match.end;
  }
  if (done != text.size()) out.push_back({done, text.size(), false});
  return out;
}

std::vector<Stretch> stretches_of(std::string_view text, bool (*is_member)(char32_t)) {
  std::vector<Match> matches;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    if (is_member(c.code)) matches.push_back({i, i + c.length});
    i += c.length;
  }
  return stretches_of(text, matches);
}

std::vector<Match> divide(const std::vector<Stretch>& stretches, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::removed: {
      std::vector<Match> out;
      for (const Stretch& s : stretches) {
        if (!s.is_match) out.push_back({s.begin, s.end});
      }
      return out;
    }
    case SplitBehavior::isolated:
      return join(stretches, [](bool, bool) { return false; });
    case SplitBehavior::contiguous:
      return join(stretches, [](bool previous, bool current) { return previous == current; });
    case SplitBehavior::merged_with_previous:
      return join(stretches, [](bool previous, bool current) { return current && !previous; });
    case SplitBehavior::merged_with_next: {
      const std::vector<Stretch> reversed(stretches.rbegin(), stretches.rend());
      auto out = join(reversed, [](bool previous, bool current) { return current && !previous; });
      std::reverse(out.begin(), out.end());
      return out;
    }
  }
  return {};
}

}  // namespace plumb::text
