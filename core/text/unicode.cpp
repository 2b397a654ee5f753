#include "core/text/unicode.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace plumb::text {

namespace {

struct LeadByte {
  int length;           // of the whole character, 0 for a byte that starts none
  unsigned char lower;  // bounds of the second byte (Unicode 15, table 3-7)
  unsigned char upper;
};

LeadByte lead_byte(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte < 0xF0) {
    return {3, byte == 0xE0 ? static_cast<unsigned char>(0xA0) : static_cast<unsigned char>(0x80),
            byte == 0xED ? static_cast<unsigned char>(0x9F) : static_cast<unsigned char>(0xBF)};
  }
  if (byte < 0xF5) {
    return {4, byte == 0xF0 ? static_cast<unsigned char>(0x90) : static_cast<unsigned char>(0x80),
            byte == 0xF4 ? static_cast<unsigned char>(0x8F) : static_cast<unsigned char>(0xBF)};
  }
  return {0, 0, 0};
}

// How many bytes from `at` agree with the character that text[at] begins.
int well_formed_prefix(std::string_view text, std::size_t at, const LeadByte& lead) {
  int n = 1;
  while (n < lead.length && at + n < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at + n]);
    const unsigned char lower = n == 1 ? lead.lower : 0x80;
    const unsigned char upper = n == 1 ? lead.upper : 0xBF;
    if (byte < lower || byte > upper) break;
    ++n;
  }
  return n;
}

// One bit a code point, so that the predicates cost a load.
class CodeBits {
 public:
  explicit CodeBits(std::span<const CodeRange> ranges) : bits_((kMaxCodePoint + 1) / 64) {
    for (const CodeRange& range : ranges) {
      for (char32_t c = range.first; c <= range.last; ++c) bits_[c / 64] |= 1ULL << (c % 64);
    }
  }
  bool has(char32_t code) const { return (bits_[code / 64] >> (code % 64)) & 1; }

 private:
  std::vector<std::uint64_t> bits_;
};

std::string fold_name(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return folded;
}

constexpr std::pair<std::string_view, std::string_view> kLongNames[] = {
    {"letter", "l"},
    {"uppercaseletter", "lu"},
    {"lowercaseletter", "ll"},
    {"titlecaseletter", "lt"},
    {"modifierletter", "lm"},
    {"otherletter", "lo"},
    {"mark", "m"},
    {"nonspacingmark", "mn"},
    {"spacingmark", "mc"},
    {"enclosingmark", "me"},
    {"number", "n"},
    {"decimalnumber", "nd"},
    {"letternumber", "nl"},
    {"othernumber", "no"},
    {"punctuation", "p"},
    {"connectorpunctuation", "pc"},
    {"dashpunctuation", "pd"},
    {"openpunctuation", "ps"},
    {"closepunctuation", "pe"},
    {"initialpunctuation", "pi"},
    {"finalpunctuation", "pf"},
    {"otherpunctuation", "po"},
    {"symbol", "s"},
    {"mathsymbol", "sm"},
    {"currencysymbol", "sc"},
    {"modifiersymbol", "sk"},
    {"othersymbol", "so"},
    {"separator", "z"},
    {"spaceseparator", "zs"},
    {"lineseparator", "zl"},
    {"paragraphseparator", "zp"},
    {"other", "c"},
    {"control", "cc"},
    {"format", "cf"},
    {"unassigned", "cn"},
    {"privateuse", "co"},
};

}  // namespace

DecodedChar decode_beyond_ascii(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const LeadByte lead = lead_byte(first);
  if (lead.length == 0) return {0xFFFD, 1, false};
  const int n = well_formed_prefix(text, at, lead);
  if (n < lead.length) return {0xFFFD, n, false};
  char32_t code = first & (0x7F >> lead.length);
  for (int i = 1; i < n; ++i) code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3F);
  return {code, n, true};
}

bool is_unfinished_char(std::string_view text, std::size_t at) {
  const LeadByte lead = lead_byte(static_cast<unsigned char>(text[at]));
  if (lead.length < 2) return false;
  const int n = well_formed_prefix(text, at, lead);
  return n < lead.length && at + n == text.size();
}

void append_char(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

std::string from_char(char32_t code) {
  std::string out;
  append_char(out, code);
  return out;
}

std::size_t ascii_end(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;
  std::uint64_t word = 0;
  for (; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if (word & kHighBits) break;
  }
  while (at < text.size() && (text[at] & 0x80) == 0) ++at;
  return at;
}

bool is_valid_utf8(std::string_view text) {
  for (std::size_t i = ascii_end(text, 0); i < text.size(); i = ascii_end(text, i)) {
    const DecodedChar c = decode_beyond_ascii(text, i);
    if (!c.is_valid) return false;
    i += c.length;
  }
  return true;
}

std::string_view to_valid(std::string_view text, std::string& storage) {
  if (is_valid_utf8(text)) return text;
  storage.clear();
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    storage += c.is_valid ? text.substr(i, c.length) : kReplacement;
    i += c.length;
  }
  return storage;
}

bool is_space_beyond_ascii(char32_t code) {
  static const CodeBits bits(space_ranges());
  return bits.has(code);
}

bool is_numeric_beyond_ascii(char32_t code) {
  static const CodeBits bits(numeric_ranges());
  return bits.has(code);
}

bool is_punctuation_beyond_ascii(char32_t code) {
  static const CodeBits bits(punctuation_ranges());
  return bits.has(code);
}

bool is_word(char32_t code) {
  static const CodeBits bits(word_ranges());
  return bits.has(code);
}

bool is_bert_control(char32_t code) {
  static const CodeBits bits(bert_control_ranges());
  return bits.has(code);
}

bool is_nonspacing_mark(char32_t code) {
  static const CodeBits bits(nonspacing_mark_ranges());
  return bits.has(code);
}

bool is_combining_mark(char32_t code) {
  static const CodeBits bits(combining_mark_ranges());
  return bits.has(code);
}

bool is_grapheme_extender(char32_t code) {
  static const CodeBits bits(grapheme_extender_ranges());
  return bits.has(code);
}

std::uint32_t split_script(char32_t code) {
  const auto starts = split_script_starts();
  const auto after = std::upper_bound(starts.begin(), starts.end(), code * 256 + 255);
  return *std::prev(after) % 256;
}

CodeSet make_set(std::span<const CodeRange> ranges) {
  CodeSet sorted(ranges.begin(), ranges.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  CodeSet set;
  for (const CodeRange& range : sorted) {
    if (!set.empty() && range.first <= set.back().last + 1) {
      set.back().last = std::max(set.back().last, range.last);
    } else {
      set.push_back(range);
    }
  }
  return set;
}

CodeSet complement(const CodeSet& set) {
  CodeSet out;
  char32_t next = 0;
  for (const CodeRange& range : set) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kMaxCodePoint) out.push_back({next, kMaxCodePoint});
  return out;
}

CodeSet unite(const CodeSet& a, const CodeSet& b) {
  CodeSet both = a;
  both.insert(both.end(), b.begin(), b.end());
  return make_set(both);
}

CodeSet intersect(const CodeSet& a, const CodeSet& b) {
  return complement(unite(complement(a), complement(b)));
}

bool contains(std::span<const CodeRange> ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t c, const CodeRange& r) { return c < r.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

bool find_property(std::string_view name, CodeSet& set) {
  std::string wanted = fold_name(name);
  for (const auto& [long_name, short_name] : kLongNames) {
    if (wanted == long_name) wanted = short_name;
  }
  for (const ScriptRanges& script : script_ranges()) {
    if (fold_name(script.name) == wanted) {
      set = make_set(script.ranges);
      return true;
    }
  }
  std::array<bool, 64> is_wanted{};
  bool is_known = false;
  const auto names = category_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string category = fold_name(names[i]);
    is_wanted[i] = category == wanted || (wanted.size() == 1 && category[0] == wanted[0]);
    is_known |= is_wanted[i];
  }
  if (!is_known) return false;
  CodeSet found;
  const auto starts = category_starts();
  for (std::size_t i = 0; i < starts.size(); ++i) {
    if (!is_wanted[starts[i] % 256]) continue;
    const char32_t end = i + 1 < starts.size() ? starts[i + 1] / 256 : kMaxCodePoint + 1;
    found.push_back({starts[i] / 256, end - 1});
  }
  set = make_set(found);
  return true;
}

std::string property_names() {
  std::string names = "L, M, N, P, S, Z, C";
  for (const std::string_view category : category_names()) names += ", " + std::string(category);
  for (const ScriptRanges& script : script_ranges()) names += ", " + std::string(script.name);
  return names;
}

}  // namespace plumb::text
