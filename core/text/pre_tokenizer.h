// The `pre_tokenizer` of tokenizer.json: divides normalized text into the pieces that the model
// sees, as a flat list of steps (a Sequence is its steps in order).
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/normalizer.h"

namespace plumb::text {

struct Piece {
  std::size_t begin = 0;  // byte offsets in PieceList::text
  std::size_t end = 0;
  bool is_first = false;  // begins where the whole input begins
};

struct PieceList {
  std::string text;
  bool is_continuation = false;  // nothing is put before the text (TextPosition)
  std::vector<Piece> pieces;     // in order, none empty

  std::string_view view(const Piece& piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
};

enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct ByteLevelStep {
  bool add_prefix_space = true;
  bool use_regex = true;
};
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

enum class WhitespaceStep { words, spaces };  // Whitespace; WhitespaceSplit

using PreTokenizerStep = std::variant<ByteLevelStep, SplitStep, DigitsStep, PunctuationStep,
                                      MetaspaceStep, WhitespaceStep>;
using PreTokenizer = std::vector<PreTokenizerStep>;

PreTokenizer parse_pre_tokenizer(const JsonView& view);
void pre_tokenize(const PreTokenizer& pre_tokenizer, PieceList& list);

}  // namespace plumb::text
