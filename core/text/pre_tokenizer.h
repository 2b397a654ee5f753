// The `pre_tokenizer` of tokenizer.json: divides normalized text into the pieces that the model
// sees, as a flat list of steps (a Sequence is its steps in order).
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/normalizer.h"
#include "core/text/tracked_text.h"

namespace plumb::text {

struct Piece {
  std::size_t begin = 0;  // byte offsets in PieceList::text
  std::size_t end = 0;
  bool is_first = false;  // begins where the text begins
};

struct PieceList {
  TrackedText text;
  TextPosition position = TextPosition::start;
  std::vector<Piece> pieces;  // in order, none empty

  // All of `text` as one piece.
  static PieceList of(TrackedText text, TextPosition position);
  std::string_view view(const Piece& piece) const {
    return std::string_view(text.bytes).substr(piece.begin, piece.end - piece.begin);
  }
};

enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// ByteLevel is a PrefixSpaceStep, a SplitStep with GPT-2's pattern and a ByteMapStep, where its
// options ask for them.
struct PrefixSpaceStep {};
struct ByteMapStep {};
struct SplitStep {
  Finder what;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool is_inverted = false;
};
struct DigitsStep {
  bool is_individual = false;
};
struct PunctuationStep {
  SplitBehavior behavior = SplitBehavior::isolated;
};
enum class PrependScheme { first, never, always };
struct MetaspaceStep {
  char32_t replacement = 0x2581;
  PrependScheme prepend = PrependScheme::always;
  bool is_split = true;
};
MetaspaceStep parse_metaspace(const JsonView& view);

// Whitespace; WhitespaceSplit; BertPreTokenizer; UnicodeScripts.
enum class PlainStep { words, spaces, bert, scripts };
struct FixedLengthStep {
  std::size_t length = 5;  // characters
};

using PreTokenizerStep = std::variant<PrefixSpaceStep, ByteMapStep, SplitStep, DigitsStep,
                                      PunctuationStep, MetaspaceStep, PlainStep, FixedLengthStep>;

struct PreTokenizer {
  std::vector<PreTokenizerStep> steps;
  // The steps from here on make of a piece what they make of it anywhere else, so that their and
  // the model's work on it can be remembered: those from the first ByteMapStep on, if they are so.
  std::size_t first_local = 0;
};

PreTokenizer parse_pre_tokenizer(const JsonView& view);
// Steps [begin, end).
void pre_tokenize(const PreTokenizer& pre_tokenizer, std::size_t begin, std::size_t end,
                  PieceList& list);
void pre_tokenize(const PreTokenizer& pre_tokenizer, PieceList& list);  // all

}  // namespace plumb::text
