// What Hugging Face's `tokenizers` takes each code point for; generated, because no system library
// agrees with it: PCRE2 10.42 knows Unicode 14, ICU 72 Unicode 15, and the package itself several
// versions at once. See scripts/make_unicode_table.py.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace plumb::text {

struct CodeRange {
  char32_t first;
  char32_t last;  // inclusive
};

// Letters first, first + step, ..., last, whose lower case is `delta` further on.
struct LowerRun {
  char32_t first;
  char32_t last;
  int step;
  int delta;
};

struct ScriptRanges {
  std::string_view name;
  std::span<const CodeRange> ranges;
};

std::span<const std::string_view> category_names();  // "Cn", "Cc", ...: an index is a category
// Runs of one category in rising order: first code point * 256 + category.
std::span<const std::uint32_t> category_starts();
// Runs of one script as UnicodeScripts divides text: first code point * 256 + a number that says
// nothing by itself; 0 goes with whatever stands before.
std::span<const std::uint32_t> split_script_starts();
std::span<const LowerRun> lower_runs();  // in rising order; all but U+0130
std::span<const ScriptRanges> script_ranges();
std::span<const CodeRange> space_ranges();         // \s, and what Strip and WhitespaceSplit remove
std::span<const CodeRange> pattern_word_ranges();  // \w in a Split or Replace pattern
std::span<const CodeRange> word_ranges();     // \w of the Whitespace pre-tokenizer and added tokens
std::span<const CodeRange> numeric_ranges();  // what Digits takes for a digit
std::span<const CodeRange> punctuation_ranges();      // what Punctuation takes for one
std::span<const CodeRange> bert_control_ranges();     // what BertNormalizer's clean_text removes
std::span<const CodeRange> nonspacing_mark_ranges();  // what its strip_accents removes
std::span<const CodeRange> combining_mark_ranges();   // what StripAccents removes
// What joins the grapheme cluster before it: Extend, SpacingMark and U+200D.
std::span<const CodeRange> grapheme_extender_ranges();

}  // namespace plumb::text
