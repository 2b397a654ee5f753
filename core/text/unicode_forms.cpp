#include "core/text/unicode_forms.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uniset.h>

#include <algorithm>

#include "core/error.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

[[noreturn]] void fail(UErrorCode status) {
  throw Error(std::string("ICU cannot normalize: ") + u_errorName(status), Exit::failed);
}

// The library's normalizer knows Unicode 9.0 (asked about every code point): later characters pass
// through it unchanged and in place.
const icu::UnicodeSet& known_characters() {
  static const icu::UnicodeSet* set = [] {
    UErrorCode status = U_ZERO_ERROR;
    auto* known = new icu::UnicodeSet(icu::UnicodeString("[:Age=9.0:]"), status);
    if (U_FAILURE(status)) fail(status);
    known->freeze();
    return known;
  }();
  return *set;
}

icu::FilteredNormalizer2 make_normalizer(const char* name, UNormalization2Mode mode) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* base = icu::Normalizer2::getInstance(nullptr, name, mode, status);
  if (U_FAILURE(status)) fail(status);
  return {*base, known_characters()};
}

const icu::Normalizer2& normalizer_of(UnicodeForm form) {
  static const icu::FilteredNormalizer2 nfc = make_normalizer("nfc", UNORM2_COMPOSE);
  static const icu::FilteredNormalizer2 nfd = make_normalizer("nfc", UNORM2_DECOMPOSE);
  static const icu::FilteredNormalizer2 nfkc = make_normalizer("nfkc", UNORM2_COMPOSE);
  static const icu::FilteredNormalizer2 nfkd = make_normalizer("nfkc", UNORM2_DECOMPOSE);
  switch (form) {
    case UnicodeForm::nfc:
      return nfc;
    case UnicodeForm::nfd:
      return nfd;
    case UnicodeForm::nfkc:
      return nfkc;
    case UnicodeForm::nfkd:
      return nfkd;
  }
  return nfc;
}

char32_t lower_of(char32_t code) {
  const auto runs = lower_runs();
  const auto after = std::upper_bound(runs.begin(), runs.end(), code,
                                      [](char32_t c, const LowerRun& r) { return c < r.first; });
  if (after == runs.begin()) return code;
  const LowerRun& run = *std::prev(after);
  const bool is_in = code <= run.last && (code - run.first) % static_cast<char32_t>(run.step) == 0;
  return is_in ? static_cast<char32_t>(static_cast<int>(code) + run.delta) : code;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

std::string to_form(UnicodeForm form, std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  UErrorCode status = U_ZERO_ERROR;
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer_of(form).normalizeUTF8(
      0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink, nullptr,
      status);
  if (U_FAILURE(status)) fail(status);
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    if (c.code == 0x130) {
      out += "i\xCC\x87";  // the one letter whose lower case is two characters: i, U+0307
    } else {
      append_char(out, lower_of(c.code));
    }
    i += c.length;
  }
  return out;
}

}  // namespace plumb::text
