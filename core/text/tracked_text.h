// Text on its way through normalizers and pre-tokenizers and, when asked for, the part of the
// original text that each byte stands for. Follows NormalizedString of `tokenizers`, whose offsets
// the origins give.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::text {

struct Origin {
  std::uint32_t begin = 0;  // byte offsets in the original text
  std::uint32_t end = 0;
};

struct TrackedText {
  std::string bytes;            // valid UTF-8
  std::vector<Origin> origins;  // one a byte when is_tracked, else empty
  bool is_tracked = false;

  // `original` as it came; `at` is where it lies in the whole.
  static TrackedText of(std::string_view original, std::size_t at, bool is_tracked);
  // The original text that bytes [begin, end) stand for.
  Origin origin_of(std::size_t begin, std::size_t end) const;
  TrackedText part(std::size_t begin, std::size_t end) const;
};

// Writes a new version of a text, character by character. Each character stands for the next one
// of the old version (put_next), stands for it and swallows `more` that follow it, or is added and
// then shares the origin of the byte before.
class Rewriter {
 public:
  // `skipped`: characters at the old version's start that nothing stands for.
  Rewriter(const TrackedText& old, std::size_t skipped);

  void put(std::string_view character, int change);  // change as in `tokenizers`: 0, > 0, < 0
  void put_next(std::string_view character) { put(character, 0); }
  void put_next_run(std::string_view characters);  // put_next of each
  void add(std::string_view character) { put(character, 1); }
  TrackedText finish() { return std::move(out_); }

 private:
  void skip_old(std::size_t characters);

  const TrackedText& old_;
  TrackedText out_;
  std::size_t at_ = 0;  // in the old version; kept up only when tracked
};

// Drops the characters for which `keeps` is false. True when the first one was dropped.
bool filter_text(TrackedText& text, bool (*keeps)(char32_t));

}  // namespace plumb::text
