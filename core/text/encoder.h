// From text to tokens: added tokens, normalizer, pre-tokenizer and model, in that order.
#pragma once
#include <string_view>

#include "core/text/tokenizer_parts.h"

namespace plumb::text {

struct EncodeInput {
  std::string_view text;  // valid UTF-8
  SpecialText special = SpecialText::recognised;
  TextPosition position = TextPosition::start;
};

std::vector<std::int32_t> encode_ids(const TokenizerParts& parts, const EncodeInput& input);
// The same ids, each with the bytes of input.text that it stands for.
ModelTokens encode_with_spans(const TokenizerParts& parts, const EncodeInput& input);

// The post-processor's work on them: offsets in characters, trimmed, and its own tokens around.
std::vector<TokenSpan> to_token_spans(const TokenizerParts& parts, std::string_view text,
                                      const ModelTokens& tokens);

}  // namespace plumb::text
