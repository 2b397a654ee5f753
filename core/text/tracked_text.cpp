#include "core/text/tracked_text.h"

#include <algorithm>

#include "core/text/unicode.h"

namespace plumb::text {

TrackedText TrackedText::of(std::string_view original, std::size_t at, bool is_tracked) {
  TrackedText text{std::string(original), {}, is_tracked};
  if (!is_tracked) return text;
  text.origins.reserve(original.size());
  for (std::size_t i = 0; i < original.size();) {
    const std::size_t length = decode_char(original, i).length;
    const Origin origin{static_cast<std::uint32_t>(at + i),
                        static_cast<std::uint32_t>(at + i + length)};
    text.origins.insert(text.origins.end(), length, origin);
    i += length;
  }
  return text;
}

Origin TrackedText::origin_of(std::size_t begin, std::size_t end) const {
  return {origins[begin].begin, origins[end - 1].end};
}

TrackedText TrackedText::part(std::size_t begin, std::size_t end) const {
  TrackedText text{bytes.substr(begin, end - begin), {}, is_tracked};
  if (is_tracked) text.origins.assign(origins.begin() + begin, origins.begin() + end);
  return text;
}

Rewriter::Rewriter(const TrackedText& old, std::size_t skipped) : old_(old) {
  out_.is_tracked = old.is_tracked;
  out_.bytes.reserve(old.bytes.size());
  if (old.is_tracked) {
    out_.origins.reserve(old.origins.size());
    skip_old(skipped);
  }
}

void Rewriter::skip_old(std::size_t characters) {
  for (; characters > 0 && at_ < old_.bytes.size(); --characters) {
    at_ += decode_char(old_.bytes, at_).length;
  }
}

void Rewriter::put(std::string_view character, int change) {
  out_.bytes += character;
  if (!old_.is_tracked) return;
  Origin origin;
  if (change <= 0) {
    if (!old_.origins.empty()) origin = old_.origins[std::min(at_, old_.origins.size() - 1)];
    skip_old(1 + static_cast<std::size_t>(-change));
  } else if (at_ > 0) {
    origin = old_.origins[at_ - 1];
  }
  out_.origins.insert(out_.origins.end(), character.size(), origin);
}

void Rewriter::put_next_run(std::string_view characters) {
  if (!old_.is_tracked) {
    out_.bytes += characters;
    return;
  }
  for (std::size_t i = 0; i < characters.size();) {
    const std::size_t length = decode_char(characters, i).length;
    put_next(characters.substr(i, length));
    i += length;
  }
}

bool filter_text(TrackedText& text, bool (*keeps)(char32_t)) {
  // The runs of dropped characters: those before the first kept one are skipped, the others are
  // swallowed by the kept one before them.
  std::size_t skipped = 0;
  std::size_t i = 0;
  const std::string& bytes = text.bytes;
  const auto skip_run = [&] {
    std::size_t count = 0;
    for (; i < bytes.size(); ++count) {
      const DecodedChar c = decode_char(bytes, i);
      if (keeps(c.code)) break;
      i += c.length;
    }
    return count;
  };
  skipped = skip_run();
  Rewriter out(text, skipped);
  while (i < bytes.size()) {
    const std::size_t begin = i;
    const std::size_t length = decode_char(bytes, i).length;
    i += length;
    const std::size_t dropped = skip_run();
    out.put(std::string_view(bytes).substr(begin, length), -static_cast<int>(dropped));
  }
  text = out.finish();
  return skipped > 0;
}

}  // namespace plumb::text
