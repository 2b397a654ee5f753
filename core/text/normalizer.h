// The `normalizer` of tokenizer.json, as a flat list of steps (a Sequence is its steps in order).
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/pattern.h"
#include "core/text/precompiled.h"
#include "core/text/tracked_text.h"

namespace plumb::text {

// What a String or Regex `pattern` finds.
struct Finder {
  std::string literal;  // when `pattern` is not set
  std::optional<Pattern> pattern;

  void find_all(std::string_view text, std::vector<Match>& matches) const;  // replaces them
  std::vector<Match> find_all(std::string_view text) const;
};
// {"String": ...} or {"Regex": ...}; an empty one is an Error.
Finder parse_finder(const JsonView& view);

struct Replace {
  Finder what;
  std::string content;
};
std::string replace_all(const Replace& replace, std::string_view text);

struct Prepend {
  std::string text;
};
struct Strip {
  bool left = true;
  bool right = true;
};
struct BertNormalizer {
  bool cleans_text = true;
  bool spaces_chinese = true;  // puts spaces around each Chinese character
  bool strips_accents = true;
  bool lowers = true;
};
using PrecompiledStep = std::shared_ptr<const Charsmap>;
enum class SimpleNormalizer { nfc, nfd, nfkc, nfkd, lowercase, byte_level, strip_accents, nmt };

using NormalizerStep =
    std::variant<SimpleNormalizer, Prepend, Replace, Strip, BertNormalizer, PrecompiledStep>;
using Normalizer = std::vector<NormalizerStep>;

Normalizer parse_normalizer(const JsonView& view);

enum class TextPosition {
  start,         // the whole input begins here
  later,         // after an added token of the same input
  continuation,  // goes on from a text encoded before: nothing is put before it
};

// Valid UTF-8 in and out. `position` turns from start to later when the text's first character is
// cut off.
void normalize(const Normalizer& normalizer, TrackedText& text, TextPosition& position);

}  // namespace plumb::text
