// What the `tokenizers` package 0.23.3 answered about single characters, chosen where Unicode
// versions disagree. The tables themselves are made from its answers about all of them.
#include "core/text/unicode.h"

#include <gtest/gtest.h>

#include "core/text/pattern.h"
#include "core/text/unicode_forms.h"

namespace plumb::text {
namespace {

struct CharacterCase {
  char32_t code;
  bool is_letter;        // \p{L} of a pattern
  bool is_pattern_word;  // \w of a pattern
  bool is_word;          // of Whitespace and added tokens
  bool is_numeric;       // of Digits
  bool is_space;
};

TEST(Unicode, ClassesOfCharacters) {
  const CharacterCase cases[] = {
      {0x1E290, true, true, true, false, false},     // Unicode 14
      {0x2EBF0, true, true, true, false, false},     // Unicode 15.1
      {0x323B0, false, false, false, false, false},  // Unicode 17: not yet
      {0x180E, false, false, false, false, false},   // once a space
      {0x85, false, false, false, false, true},     {0x200B, false, false, false, false, false},
      {0x200C, false, false, true, false, false},   // the two \w differ
      {0x11DE0, false, false, false, true, false},  // the two N differ
      {0x300, false, true, true, false, false},
  };
  const Pattern letter = Pattern::compile("\\p{L}", "test");
  const Pattern word = Pattern::compile("\\w", "test");
  const Pattern space = Pattern::compile("\\s", "test");
  const Pattern number = Pattern::compile("\\p{N}", "test");
  for (const CharacterCase& c : cases) {
    const std::string text = from_char(c.code);
    EXPECT_EQ(!letter.find_all(text).empty(), c.is_letter)
        << std::hex << static_cast<std::uint32_t>(c.code);
    EXPECT_EQ(!word.find_all(text).empty(), c.is_pattern_word)
        << std::hex << static_cast<std::uint32_t>(c.code);
    EXPECT_EQ(!space.find_all(text).empty(), c.is_space)
        << std::hex << static_cast<std::uint32_t>(c.code);
    EXPECT_EQ(is_word(c.code), c.is_word) << std::hex << static_cast<std::uint32_t>(c.code);
    EXPECT_EQ(is_numeric(c.code), c.is_numeric) << std::hex << static_cast<std::uint32_t>(c.code);
    EXPECT_EQ(is_space(c.code), c.is_space) << std::hex << static_cast<std::uint32_t>(c.code);
    EXPECT_TRUE(number.find_all(text).empty()) << std::hex << static_cast<std::uint32_t>(c.code);
  }
}

std::string text_of(std::initializer_list<char32_t> codes) {
  std::string text;
  for (const char32_t code : codes) append_char(text, code);
  return text;
}

std::string in_form(UnicodeForm form, const std::string& bytes) {
  TrackedText plain = TrackedText::of(bytes, 0, false);
  TrackedText tracked = TrackedText::of(bytes, 0, true);
  to_form(form, plain);
  to_form(form, tracked);  // by other code: it also says where each character comes from
  EXPECT_EQ(plain.bytes, tracked.bytes);
  EXPECT_EQ(tracked.origins.size(), tracked.bytes.size());
  return plain.bytes;
}

std::string lower(const std::string& bytes) {
  TrackedText text = TrackedText::of(bytes, 0, false);
  to_lower(text);
  return text.bytes;
}

// The package's normalizer knows Unicode 9.0: what came later stays as and where it is.
TEST(Unicode, NormalizationForms) {
  EXPECT_EQ(in_form(UnicodeForm::nfd, text_of({0x11938})), text_of({0x11938}));
  EXPECT_EQ(in_form(UnicodeForm::nfkc, text_of({0x32FF})), text_of({0x32FF}));
  EXPECT_EQ(in_form(UnicodeForm::nfd, text_of({'a', 0x301, 0x1DF6, 0x316})),
            text_of({'a', 0x301, 0x1DF6, 0x316}));
  EXPECT_EQ(in_form(UnicodeForm::nfc, text_of({'a', 0x316, 0x301})), text_of({0xE1, 0x316}));
  EXPECT_EQ(in_form(UnicodeForm::nfkd, text_of({0xFB01})), "fi");
  EXPECT_EQ(in_form(UnicodeForm::nfd, text_of({0x212B})), text_of({'A', 0x30A}));
}

TEST(Unicode, LowerCase) {
  EXPECT_EQ(lower(text_of({0x1C89, 0xA7CB, 0x3A3, 0x10A0, 0x13A0, 0xA64A, 'Z', '!'})),
            text_of({0x1C8A, 0x264, 0x3C3, 0x2D00, 0xAB70, 0xA64B, 'z', '!'}));
  EXPECT_EQ(lower(text_of({0x130})), text_of({'i', 0x307}));
}

TEST(Unicode, InvalidUtf8) {
  std::string storage;
  // Truncated, overlong, surrogate, beyond U+10FFFF, stray: as bytes.decode(errors="replace").
  const std::pair<std::string, int> cases[] = {{"\xE2\x82", 1},     {"\xC0\xAF", 2},
                                               {"\xED\xA0\x80", 3}, {"\xF4\x90\x80\x80", 4},
                                               {"\x80", 1},         {"\xF0\x9F\x98", 1}};
  for (const auto& [bytes, count] : cases) {
    std::string expected = "a";
    for (int i = 0; i < count; ++i) expected += kReplacement;
    EXPECT_EQ(to_valid("a" + bytes + "b", storage), expected + "b");
    EXPECT_FALSE(is_valid_utf8(bytes));
  }
  for (const char32_t code : {0x0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    const std::string text = from_char(code);
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_TRUE(decode_char(text, 0).code == code);
  }
}

}  // namespace
}  // namespace plumb::text
