// Regular expressions of tokenizers (Oniguruma's Ruby syntax, as Hugging Face reads them) on PCRE2.
// A pattern only asks to which of its few sets a character belongs, so text is first mapped to one
// byte a character, a byte standing for all characters that the pattern cannot tell apart. PCRE2
// then works on bytes: its own, older Unicode tables are never asked, and matching is fast.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/unicode.h"

namespace plumb::text {

struct Match {
  std::size_t begin = 0;  // byte offsets in the text
  std::size_t end = 0;
};

// Immutable; used from many threads. Backreferences, recursion and whatever else the translator
// does not know are refused by name. One search that needs more than kMatchLimit steps, and eight
// for each byte of the text, is an Error.
class Pattern {
 public:
  static Pattern compile(std::string_view pattern, const std::string& where);

  // All matches from left to right, without overlap. An empty match right after another is none.
  std::vector<Match> find_all(std::string_view text) const;
  void find_all(std::string_view text, std::vector<Match>& matches) const;  // replaces them

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

inline constexpr std::uint64_t kMatchLimit = 5'000'000;

// A translated pattern: PCRE2 text and, between, the sets of characters that it asks for.
struct Translation {
  struct Part {
    std::string source;  // PCRE2 text, when `set` is negative
    int set = -1;
  };
  std::vector<Part> parts;
  std::vector<CodeSet> sets;  // distinct
};
Translation translate_pattern(std::string_view pattern, const std::string& where);

}  // namespace plumb::text
