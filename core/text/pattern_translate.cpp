#include "core/text/pattern_translate.h"

#include <algorithm>
#include <optional>

#include "core/error.h"

namespace plumb::text {

namespace {

constexpr int kMaxGroupDepth = 200;  // PCRE2 itself stops at 250

struct Flags {
  bool ignore_case = false;
  bool dot_is_all = false;  // Ruby's (?m)
  bool extended = false;
};

struct Group {
  Flags outer;           // to restore after the group
  int extra_closes = 0;  // "(?:" opened by flags that stand alone, as in "a(?i)b|c"
};

// Walks the pattern once and writes the translation.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where) : cursor_(pattern, where) {}

  Translation run() {
    groups_.push_back({});
    while (!cursor_.at_end()) step();
    if (groups_.size() != 1) cursor_.fail("a group is not closed");
    emit(std::string(groups_.back().extra_closes, ')'));
    return std::move(out_);
  }

 private:
  void emit(const std::string& source) {
    if (!out_.parts.empty() && out_.parts.back().set < 0) {
      out_.parts.back().source += source;
    } else {
      out_.parts.push_back({source, -1});
    }
  }

  void emit_set(const CodeSet& set) {
    const auto is_same = [&](const CodeSet& other) {
      return std::equal(set.begin(), set.end(), other.begin(), other.end(),
                        [](const CodeRange& a, const CodeRange& b) {
                          return a.first == b.first && a.last == b.last;
                        });
    };
    const auto found = std::find_if(out_.sets.begin(), out_.sets.end(), is_same);
    const auto index = found - out_.sets.begin();
    if (found == out_.sets.end()) out_.sets.push_back(set);
    out_.parts.push_back({"", static_cast<int>(index)});
  }

  void emit_literal(char32_t code) {
    const bool is_letter = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
    const CodeSet set = {{code, code}};
    if (flags_.ignore_case && (is_letter || code > 0x7F))
      return emit_set(close_under_case(set, cursor_));
    if (code > 0x7F) return emit_set(set);
    const bool is_plain = is_letter || (code >= '0' && code <= '9');
    if (is_plain) return emit(std::string(1, static_cast<char>(code)));
    constexpr char kDigits[] = "0123456789abcdef";
    emit(std::string("\\x") + kDigits[code / 16] + kDigits[code % 16]);
  }

  void step() {
    const char32_t c = cursor_.take();
    switch (c) {
      case '\\':
        return escape();
      case '[':
        return emit_set(parse_class(cursor_, flags_.ignore_case));
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '{':
        return interval();
      case '.':
        return emit_set(flags_.dot_is_all ? CodeSet{{0, kMaxCodePoint}}
                                          : complement({{'\n', '\n'}}));
      case '^':
      case '$':
      case '|':
      case '*':
      case '+':
      case '?':
        return emit(std::string(1, static_cast<char>(c)));
      default:
        break;
    }
    if (flags_.extended && is_space(c)) return;
    if (flags_.extended && c == '#') {
      while (!cursor_.at_end() && cursor_.take() != '\n') {
      }
      return;
    }
    emit_literal(c);
  }

  void escape() {
    const char32_t c = cursor_.peek();
    if (c == 'b' || c == 'B') return word_boundary(cursor_.take() == 'b');
    if (c == 'A' || c == 'z' || c == 'Z') {
      return emit("\\" + std::string(1, static_cast<char>(cursor_.take())));
    }
    if (cursor_.skip("R")) return line_break();
    const EscapeResult escaped = parse_escape(cursor_);
    if (escaped.is_set) {
      emit_set(escaped.set);
    } else {
      emit_literal(escaped.code);
    }
  }

  void line_break() {
    emit("(?>\\x0d\\x0a|");
    emit_set({{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}});
    emit(")");
  }

  void word_boundary(bool is_boundary) {
    const CodeSet word = make_set(pattern_word_ranges());
    emit("(?:(?<=");
    emit_set(word);
    emit(is_boundary ? ")(?!" : ")(?=");
    emit_set(word);
    emit(")|(?<!");
    emit_set(word);
    emit(is_boundary ? ")(?=" : ")(?!");
    emit_set(word);
    emit("))");
  }

  void open_group() {
    if (groups_.size() > kMaxGroupDepth) cursor_.fail("groups are nested more than 200 deep");
    if (!cursor_.skip("?")) return push_group("(?:");
    for (const char* kind : {":", "=", "!", ">", "<=", "<!"}) {
      if (cursor_.skip(kind)) return push_group(std::string("(?") + kind);
    }
    if (cursor_.skip("<")) {  // a named group: nothing can refer to it
      while (cursor_.take() != '>') {
      }
      return push_group("(?:");
    }
    group_flags();
  }

  void push_group(const std::string& opening) {
    groups_.push_back({flags_, 0});
    emit(opening);
  }

  void group_flags() {
    Flags flags = flags_;
    bool value = true;
    while (cursor_.peek() != ':' && cursor_.peek() != ')') {
      switch (cursor_.take()) {
        case '-':
          value = false;
          break;
        case 'i':
          flags.ignore_case = value;
          break;
        case 'm':
          flags.dot_is_all = value;
          break;
        case 'x':
          flags.extended = value;
          break;
        default:
          cursor_.fail("a group of this kind is not supported");
      }
    }
    if (cursor_.take() == ':') {
      push_group("(?:");
    } else {
      ++groups_.back().extra_closes;
      emit("(?:");
    }
    flags_ = flags;
  }

  void close_group() {
    if (groups_.size() == 1) cursor_.fail("a ) closes nothing");
    emit(std::string(groups_.back().extra_closes + 1, ')'));
    flags_ = groups_.back().outer;
    groups_.pop_back();
  }

  std::optional<int> number() {
    int value = 0;
    int digits = 0;
    for (; cursor_.peek() >= '0' && cursor_.peek() <= '9'; ++digits) {
      value = value * 10 + static_cast<int>(cursor_.take() - '0');
      if (value > 1000) cursor_.fail("a repetition of more than 1000 is not supported");
    }
    return digits ? std::optional<int>(value) : std::nullopt;
  }

  void interval() {
    const std::optional<int> low = number();
    const bool has_comma = cursor_.skip(",");
    const std::optional<int> high = has_comma ? number() : low;
    if ((!low && !high) || !cursor_.skip("}")) cursor_.fail("a { that opens no {n,m}; write \\{");
    if (cursor_.peek() == '+' || (!has_comma && cursor_.peek() == '?')) {
      cursor_.fail("{n,m}+ and {n}? are not supported");
    }
    std::string source = "{" + std::to_string(low.value_or(0));
    if (has_comma) source += "," + (high ? std::to_string(*high) : "");
    emit(source + "}");
  }

  PatternCursor cursor_;
  Translation out_;
  Flags flags_;
  std::vector<Group> groups_;
};

}  // namespace

PatternCursor::PatternCursor(std::string_view pattern, const std::string& where)
    : pattern_(pattern), where_(where) {
  for (std::size_t i = 0; i < pattern.size();) {
    const DecodedChar c = decode_char(pattern, i);
    chars_ += c.code;
    i += c.length;
  }
}

bool PatternCursor::starts_with(std::string_view ascii) const {
  for (std::size_t i = 0; i < ascii.size(); ++i) {
    if (next_ + i >= chars_.size() || peek(i) != static_cast<char32_t>(ascii[i])) return false;
  }
  return true;
}

bool PatternCursor::skip(std::string_view ascii) {
  if (!starts_with(ascii)) return false;
  next_ += ascii.size();
  return true;
}

char32_t PatternCursor::take() {
  if (at_end()) fail("it ends too early");
  return chars_[next_++];
}

void PatternCursor::fail(const std::string& what) const {
  const std::string shown = pattern_.size() > 200 ? pattern_.substr(0, 200) + "..." : pattern_;
  throw Error(where_ + ": pattern '" + shown + "', character " + std::to_string(next_) + ": " +
              what);
}

Translation translate_pattern(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace plumb::text
