#include "core/error.h"
#include "core/text/normalizer.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxSteps = 256;
constexpr const char* kSupported =
    "Sequence, Prepend, Replace, Strip, StripAccents, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, "
    "BertNormalizer, Precompiled, ByteLevel";

std::optional<SimpleNormalizer> simple_of(const std::string& type) {
  static const std::pair<const char*, SimpleNormalizer> kinds[] = {
      {"NFC", SimpleNormalizer::nfc},
      {"NFD", SimpleNormalizer::nfd},
      {"NFKC", SimpleNormalizer::nfkc},
      {"NFKD", SimpleNormalizer::nfkd},
      {"Lowercase", SimpleNormalizer::lowercase},
      {"ByteLevel", SimpleNormalizer::byte_level},
      {"StripAccents", SimpleNormalizer::strip_accents},
      {"Nmt", SimpleNormalizer::nmt},
  };
  for (const auto& [name, kind] : kinds) {
    if (type == name) return kind;
  }
  return std::nullopt;
}

BertNormalizer parse_bert(const JsonView& view) {
  BertNormalizer bert;
  bert.cleans_text = view.boolean_or("clean_text", true);
  bert.spaces_chinese = view.boolean_or("handle_chinese_chars", true);
  bert.lowers = view.boolean_or("lowercase", true);
  bert.strips_accents = view.boolean_or("strip_accents", bert.lowers);
  return bert;
}

void parse_into(const JsonView& view, Normalizer& steps) {
  const std::string type = view.type();
  if (steps.size() >= kMaxSteps) view.fail("more than 256 normalizers are not supported");
  if (const auto simple = simple_of(type)) {
    steps.emplace_back(*simple);
  } else if (type == "Sequence") {
    for (const JsonView& item : view["normalizers"].items()) parse_into(item, steps);
  } else if (type == "Prepend") {
    steps.emplace_back(Prepend{view["prepend"].string()});
  } else if (type == "Replace") {
    steps.emplace_back(Replace{parse_finder(view["pattern"]), view["content"].string()});
  } else if (type == "Strip") {
    steps.emplace_back(Strip{view["strip_left"].boolean(), view["strip_right"].boolean()});
  } else if (type == "BertNormalizer") {
    steps.emplace_back(parse_bert(view));
  } else if (type == "Precompiled") {
    if (!view.has("precompiled_charsmap")) return;  // transformers writes null for none
    steps.emplace_back(std::make_shared<const Charsmap>(Charsmap::parse(view)));
  } else {
    throw Error(view.where() + ": the normalizer '" + type +
                "' is not supported (supported: " + kSupported + ")");
  }
}

}  // namespace

Normalizer parse_normalizer(const JsonView& view) {
  Normalizer steps;
  parse_into(view, steps);
  return steps;
}

Finder parse_finder(const JsonView& view) {
  const bool is_regex = view.has("Regex");
  const JsonView text = view[is_regex ? "Regex" : "String"];
  if (text.string().empty()) text.fail("an empty pattern matches everywhere");
  if (is_regex) return {"", Pattern::compile(text.string(), text.where())};
  return {text.string(), std::nullopt};
}

}  // namespace plumb::text
