#include "core/text/normalizer.h"

#include <algorithm>

#include "core/text/byte_level.h"
#include "core/text/unicode.h"
#include "core/text/unicode_forms.h"

namespace plumb::text {

namespace {

// The first character is gone: what follows is no longer the start of the input.
void cut_start(TextPosition& position) {
  if (position == TextPosition::start) position = TextPosition::later;
}

// Rewrites every character: `write(code, its bytes, out)`.
template <class Write>
void rewrite(TrackedText& text, Write write) {
  Rewriter out(text, 0);
  const std::string_view bytes = text.bytes;
  for (std::size_t i = 0; i < bytes.size();) {
    const DecodedChar c = decode_char(bytes, i);
    write(c.code, bytes.substr(i, c.length), out);
    i += c.length;
  }
  text = out.finish();
}

// Nmt, as SentencePiece's nmt rules: control characters go, odd spaces become spaces.
bool survives_nmt(char32_t c) {
  return !((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F);
}
bool is_nmt_space(char32_t c) {
  return c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
         c == 0xFFFD;
}

bool survives_cleaning(char32_t c) {
  return c != 0 && c != 0xFFFD && !is_bert_control(c);
}
bool is_kept_accent(char32_t c) {
  return !is_combining_mark(c);
}
bool is_spacing(char32_t c) {
  return !is_nonspacing_mark(c);
}

bool is_chinese(char32_t c) {
  constexpr CodeRange kBlocks[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
                                   {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  return c >= 0x3400 && std::any_of(std::begin(kBlocks), std::end(kBlocks),
                                    [&](auto& r) { return c >= r.first && c <= r.last; });
}

void to_byte_level(TrackedText& text) {
  rewrite(text, [](char32_t, std::string_view bytes, Rewriter& out) {
    std::string spelled;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      spelled.clear();
      append_byte_level(spelled, static_cast<unsigned char>(bytes[i]));
      out.put(spelled, i > 0 ? 1 : 0);
    }
  });
}

void apply_nmt(TrackedText& text, TextPosition& position) {
  if (filter_text(text, survives_nmt)) cut_start(position);
  rewrite(text, [](char32_t code, std::string_view bytes, Rewriter& out) {
    out.put_next(is_nmt_space(code) ? " " : bytes);
  });
}

void apply(SimpleNormalizer step, TrackedText& text, TextPosition& position) {
  switch (step) {
    case SimpleNormalizer::nfc:
      return to_form(UnicodeForm::nfc, text);
    case SimpleNormalizer::nfd:
      return to_form(UnicodeForm::nfd, text);
    case SimpleNormalizer::nfkc:
      return to_form(UnicodeForm::nfkc, text);
    case SimpleNormalizer::nfkd:
      return to_form(UnicodeForm::nfkd, text);
    case SimpleNormalizer::lowercase:
      return to_lower(text);
    case SimpleNormalizer::byte_level:
      return to_byte_level(text);
    case SimpleNormalizer::strip_accents:
      if (filter_text(text, is_kept_accent)) cut_start(position);
      return;
    case SimpleNormalizer::nmt:
      return apply_nmt(text, position);
  }
}

void apply(const Prepend& step, TrackedText& text, TextPosition& position) {
  if (text.bytes.empty() || position == TextPosition::continuation) return;
  text.bytes.insert(0, step.text);
  if (text.is_tracked) {
    text.origins.insert(text.origins.begin(), step.text.size(), text.origins.front());
  }
}

// What replaces several characters stands where the last of them stood.
bool cuts_start(const Match& match, std::string_view content, std::string_view bytes) {
  if (match.begin > 0 || match.end == 0) return false;
  return content.empty() || static_cast<std::size_t>(decode_char(bytes, 0).length) < match.end;
}

void apply(const Replace& step, TrackedText& text, TextPosition& position) {
  const std::vector<Match> matches = step.what.find_all(text.bytes);
  if (matches.empty()) return;
  if (cuts_start(matches[0], step.content, text.bytes)) cut_start(position);
  TrackedText out{{}, {}, text.is_tracked};
  out.bytes.reserve(text.bytes.size() + matches.size() * step.content.size());
  std::size_t done = 0;
  const auto copy_to = [&](std::size_t end) {
    out.bytes.append(text.bytes, done, end - done);
    if (!text.is_tracked) return;
    out.origins.insert(out.origins.end(), text.origins.begin() + done, text.origins.begin() + end);
  };
  for (const Match& match : matches) {
    copy_to(match.begin);
    done = match.end;
    out.bytes += step.content;
    if (!text.is_tracked) continue;
    const Origin origin = match.end > 0 ? text.origins[match.end - 1] : Origin{};
    out.origins.insert(out.origins.end(), step.content.size(), origin);
  }
  copy_to(text.bytes.size());
  text = std::move(out);
}

void apply(const Strip& step, TrackedText& text, TextPosition& position) {
  const std::string_view bytes = text.bytes;
  std::size_t begin = 0;
  std::size_t content_end = 0;  // after the last character that is no space
  bool is_leading = true;
  for (std::size_t i = 0; i < bytes.size();) {
    const DecodedChar c = decode_char(bytes, i);
    i += c.length;
    if (!is_space(c.code)) {
      is_leading = false;
      content_end = i;
    } else if (is_leading && step.left) {
      begin = i;
    }
  }
  if (begin > 0) cut_start(position);
  const std::size_t end = step.right ? std::max(begin, content_end) : bytes.size();
  if (begin > 0 || end < bytes.size()) text = text.part(begin, end);
}

void apply(const PrecompiledStep& step, TrackedText& text, TextPosition&) {
  step->apply(text);
}

void apply_bert(const BertNormalizer& step, TrackedText& text, TextPosition& position) {
  if (step.cleans_text) {
    if (filter_text(text, survives_cleaning)) cut_start(position);
    rewrite(text, [](char32_t code, std::string_view bytes, Rewriter& out) {
      out.put_next(is_space(code) ? " " : bytes);
    });
  }
  if (step.spaces_chinese) {
    rewrite(text, [](char32_t code, std::string_view bytes, Rewriter& out) {
      if (!is_chinese(code)) return out.put_next(bytes);
      out.put_next(" ");
      out.add(bytes);
      out.add(" ");
    });
  }
  if (step.strips_accents) {
    to_form(UnicodeForm::nfd, text);
    if (filter_text(text, is_spacing)) cut_start(position);
  }
  if (step.lowers) to_lower(text);
}

bool is_cleaned_away(char ascii) {
  const bool is_kept_space = ascii == '\t' || ascii == '\n' || ascii == '\r';
  return (ascii < ' ' && !is_kept_space) || ascii == 0x7F;
}

// What apply_bert does to ASCII.
void append_bert_ascii(const BertNormalizer& step, std::string_view ascii, std::string& out) {
  for (char c : ascii) {
    if (step.cleans_text) {
      if (is_cleaned_away(c)) continue;
      if (c < ' ') c = ' ';
    }
    out += step.lowers && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
}

// No step looks across the border of ASCII and the rest, so that only the rest takes the long way.
void apply(const BertNormalizer& step, TrackedText& text, TextPosition& position) {
  if (text.is_tracked) return apply_bert(step, text, position);
  const std::string_view bytes = text.bytes;
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t ascii = ascii_end(bytes, i);
    append_bert_ascii(step, bytes.substr(i, ascii - i), out);
    const bool is_first = i == 0;
    const bool has_ascii = ascii > i;
    if (is_first && has_ascii && step.cleans_text && is_cleaned_away(bytes[0])) cut_start(position);
    i = ascii;
    while (i < bytes.size() && (bytes[i] & 0x80)) i += decode_beyond_ascii(bytes, i).length;
    if (i == ascii) continue;
    TrackedText rest{std::string(bytes.substr(ascii, i - ascii)), {}, false};
    TextPosition unused = TextPosition::later;
    apply_bert(step, rest, is_first && !has_ascii ? position : unused);
    out += rest.bytes;
  }
  text.bytes = std::move(out);
}

}  // namespace

void Finder::find_all(std::string_view text, std::vector<Match>& matches) const {
  if (pattern) return pattern->find_all(text, matches);
  matches.clear();
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size())) {
    matches.push_back({at, at + literal.size()});
  }
}

std::vector<Match> Finder::find_all(std::string_view text) const {
  std::vector<Match> matches;
  find_all(text, matches);
  return matches;
}

std::string replace_all(const Replace& replace, std::string_view text) {
  std::string out;
  std::size_t done = 0;
  for (const Match& match : replace.what.find_all(text)) {
    out += text.substr(done, match.begin - done);
    out += replace.content;
    done = match.end;
  }
  out += text.substr(done);
  return out;
}

void normalize(const Normalizer& normalizer, TrackedText& text, TextPosition& position) {
  for (const NormalizerStep& step : normalizer) {
    std::visit([&](const auto& s) { apply(s, text, position); }, step);
  }
}

}  // namespace plumb::text
