#include "core/text/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "core/text/jinja/characters.h"
#include "core/text/jinja/string_literal.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

// Newlines are \n, and one at the very end does not count.
std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_digit_char(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  Lexer(std::string source, const std::string& name) : source_(std::move(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    push(TokenType::end, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest(std::size_t at) const { return std::string_view(source_).substr(at); }
  bool looking_at(std::string_view what) const { return rest(at_).starts_with(what); }

  [[noreturn]] void fail(const std::string& rule) const { throw TemplateError(name_, line_, rule); }

  Token& push(TokenType type, std::string_view text) {
    tokens_.push_back({type, line_, std::string(text), 0, 0});
    return tokens_.back();
  }

  void advance(std::size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    is_line_start_ = end > at_ ? source_[end - 1] == '\n' : is_line_start_;
    at_ = end;
  }

  // Template text up to a tag; what the tag's own marks take from the text is taken.
  void read_data() {
    std::size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) return push_data(source_.size());
      const char kind = source_[tag + 1];
      if (kind == '%' || kind == '{' || kind == '#') break;
      ++tag;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    const bool has_sign = sign == '-' || sign == '+';
    push_stripped(tag, sign, kind != '{');
    const std::size_t inside = tag + 2 + (has_sign ? 1 : 0);
    if (kind == '#') {
      advance(inside);
      skip_comment();
    } else if (kind == '%' && raw_begin(inside) != std::string::npos) {
      advance(raw_begin(inside));
      read_raw();
    } else {
      push(kind == '%' ? TokenType::block_begin : TokenType::variable_begin, "");
      advance(inside);
      read_tag(kind == '%');
    }
  }

  void push_data(std::size_t end) {
    if (end > at_) push(TokenType::data, std::string_view(source_).substr(at_, end - at_));
    advance(end);
  }

  // lstrip_blocks: white space between the line's start and a block goes, unless the sign is +.
  void push_stripped(std::size_t tag, char sign, bool may_strip_line) {
    const std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    std::size_t keep = text.size();
    if (sign == '-') {
      while (keep > 0) {
        const std::size_t size = char_bytes_before(text, keep);
        if (!is_space(text::decode_char(text, keep - size).code)) break;
        keep -= size;
      }
    } else if (sign != '+' && may_strip_line) {
      const std::size_t line = text.rfind('\n') + 1;
      const bool begins_line = line > 0 || is_line_start_;
      if (begins_line && skip_space(text, line) == text.size()) keep = line;
    }
    if (keep > 0) push(TokenType::data, text.substr(0, keep));
    advance(tag);
  }

  // Where a `raw` tag whose inside begins at `at` ends; npos when it is another tag.
  std::size_t raw_begin(std::size_t at) const {
    at = skip_space(source_, at);
    if (!rest(at).starts_with("raw")) return std::string::npos;
    at = skip_space(source_, at + 3);
    if (rest(at).starts_with("-%}")) return skip_space(source_, at + 3);
    return rest(at).starts_with("%}") ? at + 2 : std::string::npos;
  }

  // Where an `endraw` tag at `tag` ends; npos when there is none.
  std::size_t raw_end(std::size_t tag) const {
    std::size_t at = tag + 2;
    if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
    at = skip_space(source_, at);
    if (!rest(at).starts_with("endraw")) return std::string::npos;
    return block_close(skip_space(source_, at + 6));
  }

  // Where a block tag's end mark at `at` leaves off; npos when there is none.
  std::size_t block_close(std::size_t at) const { return close(at, "%}", true); }

  std::size_t close(std::size_t at, std::string_view mark, bool trims) const {
    const std::string_view text = rest(at);
    if (text.starts_with('-') && text.substr(1).starts_with(mark)) {
      return skip_space(source_, at + 1 + mark.size());
    }
    if (trims && text.starts_with('+') && text.substr(1).starts_with(mark)) {
      return at + 1 + mark.size();
    }
    if (!text.starts_with(mark)) return std::string::npos;
    at += mark.size();
    return trims && rest(at).starts_with('\n') ? at + 1 : at;
  }

  void read_raw() {
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 2)) {
      const std::size_t end = raw_end(tag);
      if (end == std::string::npos) continue;
      push_stripped(tag, source_[tag + 2], true);
      advance(end);
      return;
    }
    fail("Missing end of raw directive");
  }

  void skip_comment() {
    std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) fail("Missing end of comment tag");
    const bool has_sign = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    advance(close(has_sign ? end - 1 : end, "#}", true));
  }

  void read_tag(bool is_block) {
    std::string open;  // brackets not closed yet
    while (true) {
      advance(skip_space(source_, at_));
      if (at_ >= source_.size()) return;  // the parser misses the end mark
      const std::size_t end =
          open.empty() ? close(at_, is_block ? "%}" : "}}", is_block) : std::string::npos;
      if (end != std::string::npos) {
        push(is_block ? TokenType::block_end : TokenType::variable_end, "");
        advance(end);
        return;
      }
      read_token(open);
    }
  }

  void read_token(std::string& open) {
    const char c = source_[at_];
    if (is_digit_char(c)) return read_number();
    if (c == '\'' || c == '"') return read_string(c);
    const text::DecodedChar first = text::decode_char(source_, at_);
    if (is_name_part(first.code)) return read_name();
    read_operator(open);
  }

  void read_name() {
    std::size_t end = at_;
    while (end < source_.size()) {
      const text::DecodedChar c = text::decode_char(source_, end);
      if (!is_name_part(c.code)) break;
      end += static_cast<std::size_t>(c.length);
    }
    if (!is_name_start(text::decode_char(source_, at_).code)) {
      fail("Invalid character in identifier");
    }
    push(TokenType::name, std::string_view(source_).substr(at_, end - at_));
    advance(end);
  }

  void read_string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_at_char();
    try {
      push(TokenType::string, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    } catch (const Fault& fault) {
      fail(fault.message);
    }
    advance(end + 1);
  }

  // Digits with single underscores between them; the end of the run.
  std::size_t digits(std::size_t at) const {
    while (at < source_.size() &&
           (is_digit_char(source_[at]) ||
            (source_[at] == '_' && at + 1 < source_.size() && is_digit_char(source_[at + 1])))) {
      ++at;
    }
    return at;
  }

  // The end of ".5", "e7" or ".5e7" at `at`; `at` when there is none.
  std::size_t fraction_and_exponent(std::size_t at) const {
    if (at + 1 < source_.size() && source_[at] == '.' && is_digit_char(source_[at + 1])) {
      at = digits(at + 1);
    }
    if (at >= source_.size() || (source_[at] != 'e' && source_[at] != 'E')) return at;
    std::size_t power = at + 1;
    if (power < source_.size() && (source_[power] == '+' || source_[power] == '-')) ++power;
    const bool has_power = power < source_.size() && is_digit_char(source_[power]);
    return has_power ? digits(power) : at;
  }

  void read_number() {
    const bool follows_dot = at_ > 0 && source_[at_ - 1] == '.';
    const std::size_t whole = digits(at_);
    const std::size_t end = follows_dot ? whole : fraction_and_exponent(whole);
    if (end > whole) return push_real(end);
    read_integer(whole);
  }

  std::string without_underscores(std::size_t begin, std::size_t end) const {
    std::string out = source_.substr(begin, end - begin);
    std::erase(out, '_');
    return out;
  }

  void push_real(std::size_t end) {
    const std::string text = without_underscores(at_, end);
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc()) value = std::strtod(text.c_str(), nullptr);  // 0 or infinite
    push(TokenType::real, text).real = value;
    advance(end);
  }

  static int base_of(char letter) {
    switch (letter) {
      case 'b':
      case 'B':
        return 2;
      case 'o':
      case 'O':
        return 8;
      case 'x':
      case 'X':
        return 16;
      default:
        return 10;
    }
  }

  static bool is_digit_of(char c, int base) {
    const int value = is_digit_char(c)       ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : 99;
    return value < base;
  }

  // Jinja's 0 followed by digits is a 0 and then another number, which no grammar allows.
  void read_integer(std::size_t end) {
    std::size_t begin = at_;
    int base = 10;
    if (source_[at_] == '0') {
      base = at_ + 1 < source_.size() ? base_of(source_[at_ + 1]) : 10;
      std::size_t at = base == 10 ? at_ : at_ + 2;
      const auto is_part = [&](std::size_t i) {
        return i < source_.size() &&
               (base == 10 ? source_[i] == '0' : is_digit_of(source_[i], base));
      };
      if (base != 10 && !is_part(at)) base = 10, at = at_;
      if (base != 10) begin = at;
      end = at;
      while (is_part(end) ||
             (end > at && end < source_.size() && source_[end] == '_' && is_part(end + 1))) {
        ++end;
      }
    }
    const std::string text = without_underscores(begin, end);
    std::int64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (result.ec != std::errc()) fail("the number " + text + " does not fit 64 bits");
    push(TokenType::integer, text).integer = value;
    advance(end);
  }

  [[noreturn]] void fail_at_char() const {
    const std::size_t size = char_bytes(source_, at_);
    fail("unexpected char '" + source_.substr(at_, size) + "' at " +
         std::to_string(count_chars(std::string_view(source_).substr(0, at_))));
  }

  void read_operator(std::string& open) {
    static constexpr std::array<std::string_view, 26> kOperators = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                    [&](std::string_view op) { return looking_at(op); });
    if (found == kOperators.end()) fail_at_char();
    const char c = found->front();
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) fail(std::string("unexpected '") + c + "'");
      if (open.back() != c) {
        fail(std::string("unexpected '") + c + "', expected '" + open.back() + "'");
      }
      open.pop_back();
    }
    push(TokenType::op, *found);
    advance(at_ + found->size());
  }

  std::string source_;
  const std::string& name_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool is_line_start_ = true;  // of what was read last
};

}  // namespace

std::vector<Token> read_tokens(std::string_view source, const std::string& name) {
  if (!text::is_valid_utf8(source)) throw TemplateError(name, 1, "it is not UTF-8");
  return Lexer(normalized(source), name).run();
}

}  // namespace plumb::jinja
