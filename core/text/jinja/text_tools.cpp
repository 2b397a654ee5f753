#include "core/text/jinja/text_tools.h"

#include <string.h>

#include <algorithm>

#include "core/text/jinja/characters.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_stripped(std::string_view character, const TracedText* chars) {
  if (chars) return chars->bytes.find(character) != std::string::npos;
  return is_space(text::decode_char(character, 0).code);
}

// Whether Python's splitlines breaks a line at this character.
bool is_line_break(char32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
         code == 0x2028 || code == 0x2029;
}

std::vector<Value> split_at_spaces(Heap& heap, const TracedText& text, std::int64_t max_splits) {
  std::vector<Value> out;
  const std::string_view bytes = text.bytes;
  std::size_t at = skip_space(bytes, 0);
  while (at < bytes.size()) {
    if (max_splits >= 0 && static_cast<std::int64_t>(out.size()) == max_splits) {
      out.push_back(heap.part(text, at, bytes.size()));
      break;
    }
    std::size_t end = at;
    while (end < bytes.size() && skip_space(bytes, end) == end) end += char_bytes(bytes, end);
    out.push_back(heap.part(text, at, end));
    at = skip_space(bytes, end);
  }
  return out;
}

std::vector<Value> split_at_spaces_right(Heap& heap, const TracedText& text,
                                         std::int64_t max_splits) {
  std::vector<Value> out;
  const std::string_view bytes = text.bytes;
  const auto is_space_before = [&](std::size_t end) {
    const std::size_t size = char_bytes_before(bytes, end);
    return is_space(text::decode_char(bytes, end - size).code);
  };
  const auto skip_back = [&](std::size_t end, bool while_space) {
    while (end > 0 && is_space_before(end) == while_space) end -= char_bytes_before(bytes, end);
    return end;
  };
  std::size_t end = skip_back(bytes.size(), true);
  while (end > 0) {
    if (max_splits >= 0 && static_cast<std::int64_t>(out.size()) == max_splits) {
      out.push_back(heap.part(text, 0, end));
      break;
    }
    const std::size_t begin = skip_back(end, false);
    out.push_back(heap.part(text, begin, end));
    end = skip_back(begin, true);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

void check_separator(const TracedText& separator) {
  if (separator.bytes.empty()) throw Fault{"empty separator"};
}

}  // namespace

std::size_t find_text(Heap& heap, std::string_view text, std::string_view part, std::size_t begin,
                      std::size_t end) {
  if (begin > end || part.size() > end - begin) return kNone;
  if (part.empty()) return begin;
  heap.step();
  const void* found = memmem(text.data() + begin, end - begin, part.data(), part.size());
  const std::size_t at =
      found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : kNone;
  heap.charge(((found ? at : end) - begin) / 8);
  return at;
}

std::size_t rfind_text(Heap& heap, std::string_view text, std::string_view part, std::size_t begin,
                       std::size_t end) {
  if (begin > end || part.size() > end - begin) return kNone;
  std::size_t found = kNone;
  if (part.empty()) return end;
  for (std::size_t at = find_text(heap, text, part, begin, end); at != kNone;
       at = find_text(heap, text, part, at + 1, end)) {
    found = at;
  }
  return found;
}

Value strip(Heap& heap, const TracedText& text, const TracedText* chars, Sides sides) {
  const std::string_view bytes = text.bytes;
  std::size_t begin = 0, end = bytes.size();
  const std::size_t cost = chars ? chars->bytes.size() / 8 : 0;
  while (sides != Sides::right && begin < end) {
    const std::size_t size = char_bytes(bytes, begin);
    if (!is_stripped(bytes.substr(begin, size), chars)) break;
    heap.charge(cost);
    begin += size;
  }
  while (sides != Sides::left && end > begin) {
    const std::size_t size = char_bytes_before(bytes, end);
    if (!is_stripped(bytes.substr(end - size, size), chars)) break;
    heap.charge(cost);
    end -= size;
  }
  return heap.part(text, begin, end);
}

Value replace(Heap& heap, const TracedText& text, const TracedText& old, const TracedText& by,
              std::int64_t count) {
  TextBuilder out;
  std::size_t at = 0;
  const std::string_view bytes = text.bytes;
  const bool is_between = old.bytes.empty();
  while (count != 0) {
    const std::size_t found = find_text(heap, bytes, old.bytes, at, bytes.size());
    if (found == kNone) break;
    out.append(text, at, found);
    out.append(by);
    heap.check_size(out.size());
    at = found + old.bytes.size();
    if (count > 0) --count;
    if (!is_between) continue;
    if (at >= bytes.size()) return heap.text(out);
    const std::size_t size = char_bytes(bytes, at);
    out.append(text, at, at + size);
    at += size;
  }
  out.append(text, at, bytes.size());
  return heap.text(out);
}

std::vector<Value> split(Heap& heap, const TracedText& text, const TracedText* separator,
                         std::int64_t max_splits) {
  if (!separator) return split_at_spaces(heap, text, max_splits);
  check_separator(*separator);
  std::vector<Value> out;
  std::size_t at = 0;
  while (max_splits < 0 || static_cast<std::int64_t>(out.size()) < max_splits) {
    const std::size_t found = find_text(heap, text.bytes, separator->bytes, at, text.bytes.size());
    if (found == kNone) break;
    out.push_back(heap.part(text, at, found));
    at = found + separator->bytes.size();
  }
  out.push_back(heap.part(text, at, text.bytes.size()));
  return out;
}

std::vector<Value> split_right(Heap& heap, const TracedText& text, const TracedText* separator,
                               std::int64_t max_splits) {
  if (!separator) return split_at_spaces_right(heap, text, max_splits);
  check_separator(*separator);
  std::vector<Value> out;
  const std::string_view bytes = text.bytes;
  std::size_t end = bytes.size();
  while (max_splits < 0 || static_cast<std::int64_t>(out.size()) < max_splits) {
    if (end < separator->bytes.size()) break;
    heap.charge(end / 8);
    const std::size_t found = bytes.substr(0, end).rfind(separator->bytes);
    if (found == kNone) break;
    out.push_back(heap.part(text, found + separator->bytes.size(), end));
    end = found;
  }
  out.push_back(heap.part(text, 0, end));
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<Value> split_lines(Heap& heap, const TracedText& text, bool keeps_ends) {
  std::vector<Value> out;
  const std::string_view bytes = text.bytes;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const text::DecodedChar c = text::decode_char(bytes, at);
    const std::size_t line_end = at;
    at += static_cast<std::size_t>(c.length);
    if (!is_line_break(c.code)) continue;
    if (c.code == '\r' && bytes.substr(at).starts_with('\n')) ++at;
    out.push_back(heap.part(text, begin, keeps_ends ? at : line_end));
    begin = at;
  }
  if (begin < bytes.size()) out.push_back(heap.part(text, begin, bytes.size()));
  return out;
}

Value join(Heap& heap, const TracedText& separator, const std::vector<Value>& texts) {
  TextBuilder out;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out.append(separator);
    heap.check_size(out.size() + texts[i].string->bytes.size());
    out.append(*texts[i].string);
  }
  return heap.text(out);
}

Value map_text(Heap& heap, const TracedText& text,
               const std::function<std::string(std::string_view)>& change) {
  TextBuilder out;
  std::size_t begin = 0;
  for (const OriginRun& run : text.runs) {
    out.append(change(std::string_view(text.bytes).substr(begin, run.end - begin)), run.origin);
    begin = run.end;
  }
  return heap.text(out);
}

Value map_words(Heap& heap, const TracedText& text,
                const std::function<bool(char32_t code)>& is_word, const CharMap& change) {
  TextBuilder out;
  OriginCursor origin(text);
  bool was_word = false;
  for (std::size_t at = 0; at < text.bytes.size();) {
    const text::DecodedChar c = text::decode_char(text.bytes, at);
    const auto size = static_cast<std::size_t>(c.length);
    out.append(change(std::string_view(text.bytes).substr(at, size), !was_word), origin.at(at));
    was_word = is_word(c.code);
    at += size;
  }
  return heap.text(out);
}

Value capitalize(Heap& heap, const TracedText& text) {
  const auto is_word = [](char32_t) { return true; };
  return map_words(heap, text, is_word, [](std::string_view character, bool is_first) {
    return is_first ? to_title(character) : to_lower(character);
  });
}

}  // namespace plumb::jinja
