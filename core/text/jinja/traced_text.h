// Text that knows where each byte came from: the template, or what was given to it. That is how
// words of a user stay apart from the template's own special tokens, through every filter.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::jinja {

using Origin = std::int32_t;
inline constexpr Origin kTemplate = 0;  // the template's own text
inline constexpr Origin kInput = -1;    // tools, documents and other variables
// n > 0: message n, from 1.

struct OriginRun {
  std::size_t end = 0;  // one past its last byte; it begins where the run before ends
  Origin origin = kTemplate;
};

struct TracedText {
  std::string bytes;            // UTF-8
  std::vector<OriginRun> runs;  // cover all bytes; neighbours differ
  std::int64_t length = 0;      // characters
  bool is_markup = false;       // what `safe` and `escape` give

  bool is_ascii() const { return static_cast<std::size_t>(length) == bytes.size(); }
};

// Makes a TracedText piece by piece.
class TextBuilder {
 public:
  void append(std::string_view bytes, Origin origin);
  void append(const TracedText& text) { append(text, 0, text.bytes.size()); }
  void append(const TracedText& text, std::size_t begin, std::size_t end);  // a part, by bytes
  std::size_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  TracedText finish();  // counts the characters; the builder is empty then

 private:
  std::string bytes_;
  std::vector<OriginRun> runs_;
};

// Goes through a text's bytes in order, telling the origin of each.
class OriginCursor {
 public:
  explicit OriginCursor(const TracedText& text) : runs_(&text.runs) {}
  // `at` must not fall from call to call.
  Origin at(std::size_t at) {
    while ((*runs_)[run_].end <= at) ++run_;
    return (*runs_)[run_].origin;
  }

 private:
  const std::vector<OriginRun>* runs_;
  std::size_t run_ = 0;
};

}  // namespace plumb::jinja
