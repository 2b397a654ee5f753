#include "core/error.h"
#include "core/text/pattern_translate.h"

namespace plumb::text {

namespace {

constexpr int kMaxClassDepth = 32;

CodeSet single(char32_t code) {
  return {{code, code}};
}

CodeSet hex_digits() {
  return {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
}

CodeSet property(PatternCursor& cursor, bool is_negated) {
  if (!cursor.skip("{")) cursor.fail("\\p needs a name in braces");
  if (cursor.skip("^")) is_negated = !is_negated;
  std::string name;
  while (cursor.peek() != '}') append_char(name, cursor.take());
  cursor.take();
  CodeSet set;
  if (!find_property(name, set)) {
    cursor.fail("the property \\p{" + name + "} is not supported (known: " + property_names() +
                ")");
  }
  return is_negated ? complement(set) : set;
}

int hex_value(char32_t c) {
  if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A' + 10);
  return -1;
}

char32_t hex_code(PatternCursor& cursor, int min_digits, int max_digits) {
  char32_t code = 0;
  int n = 0;
  for (; n < max_digits && hex_value(cursor.peek()) >= 0; ++n) {
    code = code * 16 + static_cast<char32_t>(hex_value(cursor.take()));
  }
  if (n < min_digits) cursor.fail("a hexadecimal escape lacks digits");
  if (code > kMaxCodePoint) cursor.fail("a hexadecimal escape is beyond U+10FFFF");
  return code;
}

char32_t braced_hex_code(PatternCursor& cursor) {
  if (!cursor.skip("{")) {
    const char32_t code = hex_code(cursor, 1, 2);
    if (code > 0x7F) cursor.fail("\\x80 to \\xFF are bytes; write \\x{..} for a character");
    return code;
  }
  const char32_t code = hex_code(cursor, 1, 8);
  if (!cursor.skip("}")) cursor.fail("\\x{ has no }");
  return code;
}

EscapeResult set_result(CodeSet set, bool is_negated) {
  return {true, is_negated ? complement(set) : std::move(set), 0};
}

CodeSet posix_class(PatternCursor& cursor) {
  const bool is_negated = cursor.skip("^");
  std::string name;
  while (cursor.peek() != ':') append_char(name, cursor.take());
  if (!cursor.skip(":]")) cursor.fail("[: has no :]");
  CodeSet set;
  if (name == "space") {
    set = make_set(space_ranges());
  } else if (name == "digit") {
    find_property("Nd", set);
  } else if (name == "word") {
    set = make_set(pattern_word_ranges());
  } else if (name == "xdigit") {
    set = hex_digits();
  } else if (name == "ascii") {
    set = {{0, 0x7F}};
  } else {
    cursor.fail("the class [:" + name +
                ":] is not supported (known: space, digit, word, xdigit, "
                "ascii)");
  }
  return is_negated ? complement(set) : set;
}

// One item of a class that may begin a range.
EscapeResult class_item(PatternCursor& cursor, bool ignore_case, int depth) {
  if (cursor.skip("[:")) return {true, posix_class(cursor), 0};
  if (cursor.skip("[")) return {true, parse_class(cursor, ignore_case, depth + 1), 0};
  if (cursor.skip("\\")) {
    if (cursor.skip("b")) return {false, {}, 0x08};
    return parse_escape(cursor);
  }
  return {false, {}, cursor.take()};
}

// Adds the items up to "&&" or "]", neither of which is taken.
CodeSet class_union(PatternCursor& cursor, bool ignore_case, int depth) {
  std::vector<CodeRange> items;
  while (cursor.peek() != ']' && !cursor.starts_with("&&")) {
    const EscapeResult item = class_item(cursor, ignore_case, depth);
    if (item.is_set) {
      items.insert(items.end(), item.set.begin(), item.set.end());
      continue;
    }
    CodeRange range{item.code, item.code};
    if (cursor.peek() == '-' && cursor.peek(1) != ']' && cursor.peek(1) != 0) {
      cursor.take();
      const EscapeResult upper = class_item(cursor, ignore_case, depth);
      if (upper.is_set) {  // [a-\d]: the dash stands for itself
        items.push_back({'-', '-'});
        items.insert(items.end(), upper.set.begin(), upper.set.end());
      } else if (upper.code < item.code) {
        cursor.fail("a range in a class runs backwards");
      } else {
        range.last = upper.code;
      }
    }
    items.push_back(range);
  }
  return make_set(items);
}

}  // namespace

EscapeResult parse_escape(PatternCursor& cursor) {
  const char32_t c = cursor.take();
  CodeSet digits;
  switch (c) {
    case 'p':
      return {true, property(cursor, false), 0};
    case 'P':
      return {true, property(cursor, true), 0};
    case 's':
      return set_result(make_set(space_ranges()), false);
    case 'S':
      return set_result(make_set(space_ranges()), true);
    case 'w':
      return set_result(make_set(pattern_word_ranges()), false);
    case 'W':
      return set_result(make_set(pattern_word_ranges()), true);
    case 'h':
      return set_result(hex_digits(), false);
    case 'H':
      return set_result(hex_digits(), true);
    case 'd':
    case 'D':
      find_property("Nd", digits);
      return set_result(digits, c == 'D');
    case 'n':
      return {false, {}, '\n'};
    case 'r':
      return {false, {}, '\r'};
    case 't':
      return {false, {}, '\t'};
    case 'f':
      return {false, {}, '\f'};
    case 'v':
      return {false, {}, '\v'};
    case 'a':
      return {false, {}, '\a'};
    case 'e':
      return {false, {}, 0x1B};
    case 'x':
      return {false, {}, braced_hex_code(cursor)};
    case 'u':
      return {false, {}, hex_code(cursor, 4, 4)};
    default:
      break;
  }
  const bool is_word_char =
      (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  if (is_word_char) cursor.fail("the escape \\" + from_char(c) + " is not supported");
  return {false, {}, c};
}

CodeSet parse_class(PatternCursor& cursor, bool ignore_case, int depth) {
  if (depth > kMaxClassDepth) cursor.fail("classes are nested more than 32 deep");
  const bool is_negated = cursor.skip("^");
  std::vector<CodeRange> leading;
  if (cursor.skip("]")) leading.push_back({']', ']'});
  CodeSet set = unite(leading, class_union(cursor, ignore_case, depth));
  while (cursor.skip("&&")) set = intersect(set, class_union(cursor, ignore_case, depth));
  if (cursor.take() != ']') cursor.fail("a class is not closed");
  if (set.empty() && !is_negated) cursor.fail("a class is empty");
  if (ignore_case) set = close_under_case(set, cursor);
  return is_negated ? complement(set) : set;
}

CodeSet close_under_case(const CodeSet& set, const PatternCursor& cursor) {
  CodeSet closed = set;
  for (char32_t c = 'a'; c <= 'z'; ++c) {
    CodeSet folds = unite(single(c), single(c - 'a' + 'A'));
    if (c == 's') folds = unite(folds, single(0x17F));
    if (c == 'k') folds = unite(folds, single(0x212A));
    if (!intersect(set, folds).empty()) closed = unite(closed, folds);
  }
  for (const CodeRange& range : set) {
    const bool is_lone_letter = range.first == range.last && range.first > 0x7F;
    if (is_lone_letter && range.first != 0x17F && range.first != 0x212A) {
      cursor.fail("(?i) is supported for ASCII letters only");
    }
  }
  return closed;
}

}  // namespace plumb::text
