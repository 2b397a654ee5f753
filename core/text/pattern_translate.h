// The parts of the translator: a cursor over the pattern, and character classes.
#pragma once
#include <string>
#include <string_view>

#include "core/text/pattern.h"

namespace plumb::text {

// The pattern as code points, with a position and errors that quote it.
class PatternCursor {
 public:
  PatternCursor(std::string_view pattern, const std::string& where);

  bool at_end() const { return next_ == chars_.size(); }
  char32_t peek(std::size_t ahead = 0) const {  // 0 past the end
    return next_ + ahead < chars_.size() ? chars_[next_ + ahead] : 0;
  }
  bool starts_with(std::string_view ascii) const;
  bool skip(std::string_view ascii);  // past `ascii`, when the rest starts with it
  char32_t take();                    // Error at the end
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::u32string chars_;
  std::size_t next_ = 0;
  std::string pattern_;
  std::string where_;
};

struct EscapeResult {
  bool is_set = false;
  CodeSet set;        // \p{..}, \s, \d, \w, \h and their negations
  char32_t code = 0;  // otherwise one character
};
// What follows a backslash that has been taken, where a class or a literal may stand.
EscapeResult parse_escape(PatternCursor& cursor);

// A class whose '[' has been taken, up to its ']': ranges, escapes, nested classes and &&.
CodeSet parse_class(PatternCursor& cursor, bool ignore_case, int depth = 0);

// The set with the other case of its letters: of ASCII letters, with U+017F and U+212A that fold to
// them. A cased letter beyond ASCII is an Error (`cursor` names the place).
CodeSet close_under_case(const CodeSet& set, const PatternCursor& cursor);

}  // namespace plumb::text
