#include "core/text/unicode_forms.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
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

struct FormParts {
  bool is_compatible;
  bool composes;
};
FormParts parts_of(UnicodeForm form) {
  return {form == UnicodeForm::nfkc || form == UnicodeForm::nfkd,
          form == UnicodeForm::nfc || form == UnicodeForm::nfkc};
}

// A character with the number of characters that it was put in for: 0 one, 1 none, -n one and n
// more (TrackedText's Rewriter).
struct Changed {
  char32_t code;
  int change;
  int combining_class;
};

int combining_class_of(char32_t code) {
  const auto c = static_cast<UChar32>(code);
  return known_characters().contains(c) ? u_getCombiningClass(c) : 0;
}

std::vector<Changed> decompose(const icu::Normalizer2& base, std::string_view text) {
  std::vector<Changed> out;
  icu::UnicodeString parts;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    i += c.length;
    const auto code = static_cast<UChar32>(c.code);
    if (!known_characters().contains(code) || !base.getDecomposition(code, parts)) {
      out.push_back({c.code, 0, combining_class_of(c.code)});
      continue;
    }
    for (int at = 0; at < parts.length(); at = parts.moveIndex32(at, 1)) {
      const auto part = static_cast<char32_t>(parts.char32At(at));
      out.push_back({part, at > 0 ? 1 : 0, combining_class_of(part)});
    }
  }
  for (auto begin = out.begin(); begin != out.end();) {
    if (begin->combining_class == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, out.end(), [](auto& c) { return c.combining_class == 0; });
    std::stable_sort(begin, end,
                     [](auto& a, auto& b) { return a.combining_class < b.combining_class; });
    begin = end;
  }
  return out;
}

// Canonical composition (Unicode 15, section 3.11, D117) of decomposed text.
std::vector<Changed> compose(const icu::Normalizer2& base, const std::vector<Changed>& text) {
  std::vector<Changed> out;
  std::size_t starter = std::string::npos;  // index in `out` of the last one
  for (const Changed& c : text) {
    if (starter != std::string::npos) {
      const bool is_next = out.size() == starter + 1;
      const bool is_blocked = !is_next && out.back().combining_class >= c.combining_class;
      const bool is_known = known_characters().contains(static_cast<UChar32>(c.code));
      const UChar32 both = is_blocked || !is_known
                               ? U_SENTINEL
                               : base.composePair(static_cast<UChar32>(out[starter].code),
                                                  static_cast<UChar32>(c.code));
      if (both >= 0 && known_characters().contains(both)) {
        out[starter].code = static_cast<char32_t>(both);
        out[starter].change += c.change - 1;
        continue;
      }
    }
    if (c.combining_class == 0) starter = out.size();
    out.push_back(c);
  }
  return out;
}

const icu::Normalizer2& base_of(bool is_compatible) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* base = is_compatible ? icu::Normalizer2::getNFKCInstance(status)
                                               : icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status)) fail(status);
  return *base;
}

void to_form_tracked(UnicodeForm form, TrackedText& text) {
  const auto [is_compatible, composes] = parts_of(form);
  std::vector<Changed> changed = decompose(base_of(is_compatible), text.bytes);
  if (composes) changed = compose(base_of(false), changed);
  Rewriter out(text, 0);
  for (const Changed& c : changed) out.put(from_char(c.code), c.change);
  text = out.finish();
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

// Of each character of the basic plane: whether it is a starter that the form leaves alone whatever
// stands beside it on the left. A text of such characters is in the form already.
class QuickYes {
 public:
  explicit QuickYes(UProperty property) : bits_(0x10000 / 64) {
    for (char32_t c = 0; c < 0x10000; ++c) {
      const auto code = static_cast<UChar32>(c);
      const bool is_yes = u_getIntPropertyValue(code, property) == UNORM_YES;
      if (is_yes && u_getCombiningClass(code) == 0) bits_[c / 64] |= std::uint64_t{1} << (c % 64);
    }
  }
  bool has_all(std::string_view text) const {
    for (std::size_t i = 0; i < text.size();) {
      if ((text[i] & 0x80) == 0) {
        ++i;
        continue;
      }
      const DecodedChar c = decode_char(text, i);
      if (c.code > 0xFFFF || !(bits_[c.code / 64] >> (c.code % 64) & 1)) return false;
      i += c.length;
    }
    return true;
  }

 private:
  std::vector<std::uint64_t> bits_;
};

const QuickYes& quick_yes_of(UnicodeForm form) {
  switch (form) {
    case UnicodeForm::nfd: {
      static const QuickYes yes(UCHAR_NFD_QUICK_CHECK);
      return yes;
    }
    case UnicodeForm::nfkc: {
      static const QuickYes yes(UCHAR_NFKC_QUICK_CHECK);
      return yes;
    }
    case UnicodeForm::nfkd: {
      static const QuickYes yes(UCHAR_NFKD_QUICK_CHECK);
      return yes;
    }
    case UnicodeForm::nfc:
      break;
  }
  static const QuickYes yes(UCHAR_NFC_QUICK_CHECK);
  return yes;
}

}  // namespace

void to_form(UnicodeForm form, TrackedText& text) {
  if (quick_yes_of(form).has_all(text.bytes)) return;
  if (text.is_tracked) return to_form_tracked(form, text);
  UErrorCode status = U_ZERO_ERROR;
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer_of(form).normalizeUTF8(
      0, icu::StringPiece(text.bytes.data(), static_cast<std::int32_t>(text.bytes.size())), sink,
      nullptr, status);
  if (U_FAILURE(status)) fail(status);
  text.bytes = std::move(out);
}

void to_lower(TrackedText& text) {
  if (!text.is_tracked && is_ascii(text.bytes)) {
    for (char& c : text.bytes) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return;
  }
  Rewriter out(text, 0);
  const std::string_view bytes = text.bytes;
  for (std::size_t i = 0; i < bytes.size();) {
    const DecodedChar c = decode_char(bytes, i);
    if (c.code == 0x130) {
      out.put_next("i");  // the one letter whose lower case is two characters: i, U+0307
      out.add("\xCC\x87");
    } else {
      const char32_t lower = lower_of(c.code);
      out.put_next(lower == c.code ? bytes.substr(i, c.length) : from_char(lower));
    }
    i += c.length;
  }
  text = out.finish();
}

}  // namespace plumb::text
