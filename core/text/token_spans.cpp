#include <algorithm>

#include "core/text/encoder.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr char32_t kByteLevelSpace = 0x120;  // the space of GPT-2's alphabet

bool is_trimmed(char32_t code) {
  return code == kByteLevelSpace || is_space(code);
}

struct Spaces {
  std::uint32_t leading = 0;  // characters
  std::uint32_t trailing = 0;
};

Spaces spaces_of(std::string_view token) {
  Spaces spaces;
  bool is_leading = true;
  for (std::size_t i = 0; i < token.size();) {
    const DecodedChar c = decode_char(token, i);
    i += c.length;
    const bool is_space_here = is_trimmed(c.code);
    is_leading = is_leading && is_space_here;
    if (is_leading) ++spaces.leading;
    spaces.trailing = is_space_here ? spaces.trailing + 1 : 0;
  }
  return spaces;
}

// As process_offsets of `tokenizers`: a single space that was put before the text is no part of it
// and is not cut off either.
void trim(const TrimOffsets& rule, std::string_view token, bool is_first, TokenSpan& span) {
  Spaces spaces = spaces_of(token);
  if (spaces.leading > 0) {
    const bool was_put = (is_first || span.begin == 0) && rule.adds_prefix_space;
    if (was_put && spaces.leading == 1) spaces.leading = 0;
    span.begin = std::min(span.begin + spaces.leading, span.end);
  }
  if (spaces.trailing > 0 && span.end >= spaces.trailing) {
    span.end = std::max(span.end - spaces.trailing, span.begin);
  }
}

// The number of characters that begin before each byte.
std::vector<std::uint32_t> char_counts(std::string_view text) {
  std::vector<std::uint32_t> counts(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    counts[i + 1] = counts[i] + ((text[i] & 0xC0) != 0x80);
  }
  return counts;
}

std::string_view token_text(const TokenizerParts& parts, std::int32_t id) {
  const AddedToken* added = find_added(parts, id);
  return added ? added->content : model_vocab(parts).token(id);
}

}  // namespace

std::vector<TokenSpan> to_token_spans(const TokenizerParts& parts, std::string_view text,
                                      const ModelTokens& tokens) {
  const std::vector<std::uint32_t> chars = char_counts(text);
  std::vector<TokenSpan> sequence;
  sequence.reserve(tokens.ids.size());
  for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
    const Match& bytes = tokens.spans[i];
    TokenSpan span{tokens.ids[i], chars[bytes.begin], chars[bytes.end]};
    for (const TrimOffsets& rule : parts.post_processor.trims) {
      trim(rule, token_text(parts, span.id), i == 0, span);
    }
    sequence.push_back(span);
  }
  std::vector<TokenSpan> out;
  for (const std::int32_t piece : parts.post_processor.pieces) {
    if (piece == kSequence) {
      out.insert(out.end(), sequence.begin(), sequence.end());
    } else {
      out.push_back({piece, 0, 0});
    }
  }
  return out;
}

}  // namespace plumb::text
