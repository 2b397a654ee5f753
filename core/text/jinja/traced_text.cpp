#include "core/text/jinja/traced_text.h"

#include <algorithm>

namespace plumb::jinja {

void TextBuilder::append(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return;
  bytes_.append(bytes);
  if (!runs_.empty() && runs_.back().origin == origin) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), origin});
  }
}

void TextBuilder::append(const TracedText& text, std::size_t begin, std::size_t end) {
  if (begin >= end) return;
  auto run = std::upper_bound(text.runs.begin(), text.runs.end(), begin,
                              [](std::size_t at, const OriginRun& r) { return at < r.end; });
  while (begin < end) {
    const std::size_t stop = std::min(run->end, end);
    append(std::string_view(text.bytes).substr(begin, stop - begin), run->origin);
    begin = stop;
    ++run;
  }
}

TracedText TextBuilder::finish() {
  TracedText text{std::move(bytes_), std::move(runs_), 0, false};
  text.length = std::count_if(text.bytes.begin(), text.bytes.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  bytes_.clear();
  runs_.clear();
  return text;
}

}  // namespace plumb::jinja
