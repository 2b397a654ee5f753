#include "core/text/normalizer.h"

#include "core/error.h"
#include "core/text/byte_level.h"
#include "core/text/unicode_forms.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxSteps = 256;
constexpr const char* kSupported =
    "Sequence, Prepend, Replace, Strip, Lowercase, NFC, NFD, NFKC, NFKD, ByteLevel";

std::string apply(SimpleNormalizer step, std::string text, TextPosition&) {
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
  }
  return text;
}

std::string apply(const Prepend& step, std::string text, TextPosition& position) {
  const bool is_wanted = !text.empty() && position != TextPosition::continuation;
  return is_wanted ? step.text + text : text;
}

std::string apply(const Replace& step, std::string text, TextPosition&) {
  return replace_all(step, text);
}

std::string apply(const Strip& step, std::string text, TextPosition& position) {
  std::size_t begin = 0;
  std::size_t content_end = 0;  // after the last character that is no space
  bool is_leading = true;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedChar c = decode_char(text, i);
    i += c.length;
    if (!is_space(c.code)) {
      is_leading = false;
      content_end = i;
    } else if (is_leading && step.left) {
      begin = i;
    }
  }
  if (begin > 0 && position == TextPosition::start) position = TextPosition::later;
  const std::size_t end = step.right ? std::max(begin, content_end) : text.size();
  return text.substr(begin, end - begin);
}

void parse_into(const JsonView& view, Normalizer& steps) {
  const std::string type = view.type();
  if (steps.size() >= kMaxSteps) view.fail("more than 256 normalizers are not supported");
  if (type == "Sequence") {
    for (const JsonView& item : view["normalizers"].items()) parse_into(item, steps);
  } else if (type == "Prepend") {
    steps.emplace_back(Prepend{view["prepend"].string()});
  } else if (type == "Replace") {
    steps.emplace_back(Replace{parse_finder(view["pattern"]), view["content"].string()});
  } else if (type == "Strip") {
    steps.emplace_back(Strip{view["strip_left"].boolean(), view["strip_right"].boolean()});
  } else if (type == "Lowercase") {
    steps.emplace_back(SimpleNormalizer::lowercase);
  } else if (type == "NFC") {
    steps.emplace_back(SimpleNormalizer::nfc);
  } else if (type == "NFD") {
    steps.emplace_back(SimpleNormalizer::nfd);
  } else if (type == "NFKC") {
    steps.emplace_back(SimpleNormalizer::nfkc);
  } else if (type == "NFKD") {
    steps.emplace_back(SimpleNormalizer::nfkd);
  } else if (type == "ByteLevel") {
    steps.emplace_back(SimpleNormalizer::byte_level);
  } else {
    throw Error(view.where() + ": the normalizer '" + type +
                "' is not supported (supported: " + kSupported + ")");
  }
}

}  // namespace

std::vector<Match> Finder::find_all(std::string_view text) const {
  if (pattern) return pattern->find_all(text);
  std::vector<Match> matches;
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size())) {
    matches.push_back({at, at + literal.size()});
  }
  return matches;
}

Finder parse_finder(const JsonView& view) {
  const bool is_regex = view.has("Regex");
  const JsonView text = view[is_regex ? "Regex" : "String"];
  if (text.string().empty()) text.fail("an empty pattern matches everywhere");
  if (is_regex) return {"", Pattern::compile(text.string(), text.where())};
  return {text.string(), std::nullopt};
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

Normalizer parse_normalizer(const JsonView& view) {
  Normalizer steps;
  parse_into(view, steps);
  return steps;
}

std::string normalize(const Normalizer& normalizer, std::string_view text, TextPosition& position) {
  std::string result(text);
  for (const NormalizerStep& step : normalizer) {
    result = std::visit([&](const auto& s) { return apply(s, std::move(result), position); }, step);
  }
  return result;
}

}  // namespace plumb::text
