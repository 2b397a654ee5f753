#include "core/data/transcript.h"

#include <algorithm>
#include <array>

namespace plumb {
namespace {

struct Mark {
  std::string_view text;
  Role role;
};
constexpr std::array<Mark, 2> kMarks{
    {{"\n\nHuman:", Role::user}, {"\n\nAssistant:", Role::assistant}}};

struct FoundMark {
  std::size_t begin = std::string_view::npos;
  const Mark* mark = nullptr;
};

FoundMark next_mark(std::string_view text, std::size_t from) {
  FoundMark found;
  for (const Mark& mark : kMarks) {
    const std::size_t begin = text.find(mark.text, from);
    if (begin < found.begin) found = {begin, &mark};
  }
  return found;
}

}  // namespace

bool is_transcript(std::string_view text) {
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [&](const Mark& mark) { return text.starts_with(mark.text); });
}

std::vector<Message> parse_transcript(std::string_view text) {
  std::vector<Message> turns;
  FoundMark at = next_mark(text, 0);
  while (at.mark != nullptr) {
    std::size_t begin = at.begin + at.mark->text.size();
    if (text.substr(begin).starts_with(' ')) ++begin;
    const FoundMark next = next_mark(text, begin);
    const std::string_view content =
        text.substr(begin, next.begin == std::string_view::npos ? next.begin : next.begin - begin);
    if (!turns.empty() && turns.back().role == at.mark->role) {
      turns.back().content.append("\n\n").append(content);
    } else {
      turns.push_back({at.mark->role, std::string(content), ""});
    }
    at = next;
  }
  return turns;
}

SplitTranscript split_at_last_answer(std::string_view text) {
  const std::string_view mark = kMarks[1].text;
  const std::size_t last = text.rfind(mark);
  if (last == std::string_view::npos) return {std::string(text), ""};
  const std::size_t end = last + mark.size();
  return {std::string(text.substr(0, end)), std::string(text.substr(end))};
}

}  // namespace plumb
